"""The demo page and the backend behind it."""
