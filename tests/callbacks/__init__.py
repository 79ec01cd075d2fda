"""Callbacks: told at least once, in order, signed, and nothing that the status does not tell."""
