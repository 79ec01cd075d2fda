"""PostgreSQL: tables, connections and the embedded server.

Used by every package that stores or reads something; knows no rule of the product.
"""
