"""Recorded sends, decided again under another policy. Called by api and cli."""
