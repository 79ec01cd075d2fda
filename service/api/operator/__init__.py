"""The operators' calls."""
