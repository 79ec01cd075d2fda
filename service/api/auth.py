"""Who calls: the bearer key of a request, turned into a Caller before its body is read.

Guards of the routes, and what handlers ask for the result. Never logs a header.
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from service.api.parts import parts_of
from service.errors import NotAuthorized
from service.verification.callers import Caller

SCHEME = "bearer "
SLOT = "verify_gateway_caller"

Connection = ASGIConnection[Any, Any, Any, Any]


async def needs_key(connection: Connection, _: BaseRouteHandler) -> None:
    """Let any client in. Raises NotAuthorized."""
    lines = connection.headers.getall("authorization", [])
    # Of two, a proxy in front may have looked at the other one.
    if len(lines) != 1 or not lines[0].lower().startswith(SCHEME):
        raise NotAuthorized
    caller = await parts_of(connection).keys.caller(lines[0][len(SCHEME) :].strip())
    connection.scope[SLOT] = caller  # type: ignore[literal-required] # a slot of our own in the ASGI scope


async def needs_operator(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let operators in, if their key is good at this moment. Raises NotAuthorized."""
    await needs_key(connection, handler)
    caller = caller_of(connection)
    if not caller.operator:
        raise NotAuthorized
    await parts_of(connection).keys.check(caller)


def caller_of(connection: Connection | Request[Any, Any, Any]) -> Caller:
    """Return whom the guard let in."""
    caller: Caller = connection.scope[SLOT]  # type: ignore[literal-required] # as above
    return caller
