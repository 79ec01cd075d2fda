"""Sums and shares over many verifications: what was done, stopped and reached. Called by api and cli."""
