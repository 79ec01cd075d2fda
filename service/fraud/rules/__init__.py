"""The rules: small pure functions from facts to an objection.

Listed in fraud.stages, which says in what order they are asked. No I/O.
"""
