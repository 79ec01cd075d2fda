"""Checks that a port is free before anything is started. Called by serving and cli.sandbox."""

from __future__ import annotations

import socket

from service.errors import GatewayError


def check_free(host: str, port: int, remedy: str) -> None:
    """Raise GatewayError if we cannot listen on `host` and `port`; `remedy` says what to do about it."""
    try:
        kind, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise GatewayError(f"{host}:{port} cannot be listened on ({error.strerror}). {remedy}") from None
