"""Stand-ins for Telnyx and Fingerprint, with state and faults on demand.

Used by the command `sandbox` and by tests; `serve` must never import it.
"""
