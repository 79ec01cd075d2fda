"""API keys and who holds them. Used by api, verification and cli; never sees what a client asks for."""
