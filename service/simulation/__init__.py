"""The attack simulation: traces of ordinary and hostile traffic, and the report on what became of them.

Used only by cli. None of it runs in production, and no gateway ever sees a trace's labels.
"""
