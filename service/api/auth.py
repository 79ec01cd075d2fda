"""Who calls: the bearer key of a request, turned into a Caller before its body is read.

Asked for by the handlers, and a guard for what is an operator's. Never logs a header.
"""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from service.api.parts import parts_of
from service.errors import NotAuthorized
from service.verification.callers import Caller

SCHEME = "bearer "

Connection = ASGIConnection[Any, Any, Any, Any]


async def caller_of(connection: Connection) -> Caller:
    """Return which product's key this is: the first thing that a handler asks for. Raises NotAuthorized.

    No guard: Litestar copies the handler for each call of one, which costs more than all of this.
    """
    caller = await _known(connection)
    if caller.operator:
        raise NotAuthorized
    return caller


async def operator_of(connection: Connection) -> Caller:
    """Return which operator's key this is, if it is good at this moment. Raises NotAuthorized."""
    caller = await _known(connection)
    if not caller.operator:
        raise NotAuthorized
    await parts_of(connection).keys.check(caller)
    return caller


async def needs_operator(connection: Connection, _: BaseRouteHandler) -> None:
    """Let operators in. Raises NotAuthorized."""
    await operator_of(connection)


async def _known(connection: Connection) -> Caller:
    lines = connection.headers.getall("authorization", [])
    # Of two, a proxy in front may have looked at the other one.
    if len(lines) != 1 or not lines[0].lower().startswith(SCHEME):
        raise NotAuthorized
    return await parts_of(connection).keys.caller(lines[0][len(SCHEME) :].strip())
