"""A verification, found and told: what happened to it, and what can be done. Called by api."""
