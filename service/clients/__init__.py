"""API keys and who holds them. Called by api and cli; never sees what a client asks for."""
