"""A model of what is lawful, beside the real flow on a real database: hypothesis drives both and compares each step."""
