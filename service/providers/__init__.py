"""The outside services, each behind a small protocol.

Called by verification, fraud and worker; never decides anything.
"""
