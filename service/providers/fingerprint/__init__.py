"""Everything that knows Fingerprint: look-ups, sealed results, the bodies of both API versions."""
