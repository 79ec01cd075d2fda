"""The outside services, each behind a small protocol. Called by fraud and verification; never decides anything."""
