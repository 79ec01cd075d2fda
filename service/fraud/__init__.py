"""Decides whether a code may go out. Called by verification; never sends anything."""
