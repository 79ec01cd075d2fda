"""Measurements of what things cost. Run by `make bench`; imported by nothing in service/."""
