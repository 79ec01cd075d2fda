"""HTTP in and out. Calls verification and fraud; never runs a statement itself."""
