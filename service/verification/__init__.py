"""The heart: the only writer of a verification. Called by api and worker; never speaks HTTP to callers."""
