"""Whose request it is: its key, its address, and how often an unknown one may try."""
