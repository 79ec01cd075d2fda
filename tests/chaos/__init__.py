"""Chaos: a whole gateway under seeded faults and callers, and the ledger that has to balance afterwards.

`make chaos` runs it, and a test runs half a minute of it. It starts and ends everything that it strikes.
"""
