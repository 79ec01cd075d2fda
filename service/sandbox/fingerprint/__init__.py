"""The stand-in for Fingerprint."""
