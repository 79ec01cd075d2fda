"""PostgreSQL: tables, connections and the embedded server. Called by everything; knows no rule of the product."""
