"""Callbacks: tells a client's backend how its verifications ended."""
