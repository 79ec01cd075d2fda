"""The heart: verifications are made and moved here. Called by api and worker; never speaks HTTP to callers."""
