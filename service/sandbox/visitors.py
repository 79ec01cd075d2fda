"""The address that a visitor of the sign-up page seems to come from.

Used by demo.page and the stand-in for Fingerprint's agent, which must name the same one. Everybody who tries the page
is on this machine: with its own address they would use up each other's limit.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

_COOKIE = "sandbox_address"
_ADDRESS = re.compile(r"2001:db8:[0-9a-f]{1,4}:[0-9a-f]{1,4}::1")


def address_of(request: Request[Any, Any, Any]) -> str:
    """Return the visitor's address; a new one for a visitor without one."""
    given = request.cookies.get(_COOKIE, "")
    return given if _ADDRESS.fullmatch(given) else draw_address()


def keep_address(request: Request[Any, Any, Any]) -> Cookie:
    """Return the cookie that keeps it until the browser is closed; a private window has another one."""
    return Cookie(_COOKIE, value=address_of(request), httponly=True, samesite="strict", path="/")


def draw_address() -> str:
    """Return an address from the IPv6 range reserved for documentation."""
    return f"2001:db8:{secrets.randbelow(0xFFFF) + 1:x}:{secrets.randbelow(0xFFFF) + 1:x}::1"
