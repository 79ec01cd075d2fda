"""Providers of verifications: the protocol, and those that never leave this process."""
