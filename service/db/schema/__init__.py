"""The database's tables as declared, and how a database is migrated to them."""
