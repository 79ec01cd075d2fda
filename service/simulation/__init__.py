"""The attack range: traces of ordinary and hostile traffic, and the report on what became of them.

Used by cli alone. Nothing of it runs in production, and no gateway ever sees a trace's labels.
"""
