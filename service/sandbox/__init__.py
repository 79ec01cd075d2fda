"""Stand-ins for Telnyx and Fingerprint with state and faults on demand. Used by `sandbox` and tests; never by `serve`."""
