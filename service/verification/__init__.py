"""The life of a verification, from admission to its end. Called by api and worker; never speaks HTTP to callers."""
