"""Where a request came from: the peer, or what trusted proxies say of it.

Called by webhooks and auth. Believes no header that a stranger could have written.
"""

from __future__ import annotations

import re
from typing import Any

from litestar.connection import ASGIConnection
from netaddr import IPAddress, IPSet

from service import addresses

# Some proxies write the port as well (Azure's do). Only brackets separate it from an IPv6 address: in 2001:db8::1:443
# the last group is part of the address.
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")


def source_of(request: ASGIConnection[Any, Any, Any, Any], trusted: IPSet) -> IPAddress | None:
    """Return the nearest address that is not a trusted proxy; None if it is not known.

    Read from the right, all header lines joined: what is further left was written by somebody who is not trusted.
    """
    address = peer_of(request)
    forwarded = [hop for line in request.headers.getall("x-forwarded-for", []) for hop in line.split(",")]
    while address is not None and address in trusted and forwarded:
        address = _parse_hop(forwarded.pop().strip())
    return address


def peer_of(request: ASGIConnection[Any, Any, Any, Any]) -> IPAddress | None:
    """Return the other end of the connection, without a link-local address's zone, which only this machine knows."""
    peer = request.scope["client"]
    return _parse(peer[0].partition("%")[0]) if peer else None


def came_by_https(request: ASGIConnection[Any, Any, Any, Any], trusted: IPSet) -> bool:
    """Return whether the client's connection was HTTPS: the one to us, or the one that a trusted proxy reports."""
    peer = peer_of(request)
    if peer is not None and peer in trusted:
        told = [part for line in request.headers.getall("x-forwarded-proto", []) for part in line.split(",")]
        # The last one was written by the proxy next to us; those before it, perhaps by a stranger.
        if told:
            return told[-1].strip().lower() == "https"
    return request.scope["scheme"] == "https"


def _parse_hop(text: str) -> IPAddress | None:
    ported = _WITH_PORT.fullmatch(text)
    if ported is None:
        return _parse(text)
    ipv4, ipv6 = ported.groups()
    address = _parse(ipv4 or ipv6)
    # IPv4 in brackets is nobody's spelling: taken for an address, it would be a second name for it.
    return address if ipv4 or ":" in ipv6 else None


def _parse(text: str) -> IPAddress | None:
    address = addresses.parse(text)
    return None if address is None else IPAddress(str(address))
