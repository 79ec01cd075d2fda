"""Where a request came from, when proxies stand between: the peer, and what trusted proxies say of it.

Called by webhooks. Believes no header that a stranger could have written.
"""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from netaddr import IPAddress, IPSet

from service import addresses


def source_of(request: ASGIConnection[Any, Any, Any, Any], trusted: IPSet) -> IPAddress | None:
    """Return the nearest address that is not a trusted proxy; None when it is not known.

    Read from the right, all header lines joined: what stands further left was written by whoever is not trusted.
    """
    address = _parse(request.scope["client"][0] if request.scope["client"] else "")
    forwarded = [hop for line in request.headers.getall("x-forwarded-for", []) for hop in line.split(",")]
    while address is not None and address in trusted and forwarded:
        address = _parse(forwarded.pop().strip())
    return address


def came_by_https(request: ASGIConnection[Any, Any, Any, Any], trusted: IPSet) -> bool:
    """Say whether the client's own connection was HTTPS: ours, or the one that a trusted proxy vouches for."""
    peer = _parse(request.scope["client"][0] if request.scope["client"] else "")
    if peer is not None and peer in trusted:
        told = [part for line in request.headers.getall("x-forwarded-proto", []) for part in line.split(",")]
        if told:
            return told[-1].strip().lower() == "https"
    return request.scope["scheme"] == "https"


def _parse(text: str) -> IPAddress | None:
    address = addresses.parse(text)
    return None if address is None else IPAddress(str(address))
