"""The outside world, one small protocol each. Called by fraud and verification; never decides anything."""
