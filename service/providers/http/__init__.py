"""Outgoing HTTP: one call, its reply, and a circuit breaker. Called by every vendor's package."""
