"""Authentication: the bearer key of a request, turned into a Caller before its body is read.

Called by the handlers and the console, and a guard of the metrics. Never logs a header.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from service.addresses import network_of
from service.api.access.source import source_of
from service.api.services import services_of
from service.clients.caller import Caller
from service.errors import NotAuthorized, Unavailable, WrongScope

SCHEME = "bearer "
NOTED = "caller"

Connection = ASGIConnection[Any, Any, Any, Any]


async def caller_of(connection: Connection) -> Caller:
    """Return the caller by a product's key: the first thing that a handler does.

    Raises NotAuthorized, WrongScope, Limited for an address that brings too many unknown keys, Unavailable.

    Not a guard: Litestar copies the handler for each call of a guard, which costs more than all of this.
    """
    caller = await _known(connection)
    if caller.scope != "verify":
        raise WrongScope("verify")
    return caller


async def operator_of(connection: Connection, *, search: bool = False) -> Caller:
    """Return the operator by their key, if it is valid at this moment, and count the call.

    Raises as `caller_of`, and Limited for a key that calls too often. `search`: a search by number, which counts twice.
    """
    caller = await _known(connection)
    if caller.scope != "operator":
        raise WrongScope("operator")
    # Asked of the database, not of memory: a revoked operator must be shut out at once, in every process.
    await services_of(connection).keys.enter(caller, search=search)
    return caller


async def needs_metrics(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard: admit keys for the metrics, and operators. Raises as `operator_of`."""
    caller = await _known(connection)
    if caller.scope not in {"metrics", "operator"}:
        raise WrongScope("metrics")
    # While the database is away the metrics are needed most: a key that was valid before is admitted.
    with suppress(Unavailable):
        await services_of(connection).keys.enter(caller)


def noted_caller(scope: Scope) -> Caller | None:
    """Return the caller of a request, once known, for its line in the log."""
    caller: Caller | None = scope["state"].get(NOTED)
    return caller


async def _known(connection: Connection) -> Caller:
    # Noted before its scope is looked at: the log should also name a key that is refused for that.
    caller = connection.scope["state"][NOTED] = await _find(connection)
    return caller


async def _find(connection: Connection) -> Caller:
    lines = connection.headers.getall("authorization", [])
    # If there are two, a proxy in front may have checked the other one.
    if len(lines) != 1 or not lines[0].lower().startswith(SCHEME):
        raise NotAuthorized
    return await identify(connection, lines[0][len(SCHEME) :].strip())


async def identify(connection: Connection, key: str) -> Caller:
    """Return whose key it is. Raises NotAuthorized, Limited for an address that brings too many, Unavailable."""
    services = services_of(connection)
    # Before any limit by address: strangers behind the same proxy must not shut out a valid key.
    if (caller := services.keys.known(key)) is not None:
        return caller
    source = source_of(connection, services.webhooks.trusted_proxies)
    network = network_of(str(source)) if source is not None else ""
    try:
        return await services.keys.find(key, lambda: services.strangers.check(network))
    except NotAuthorized:
        services.strangers.note(network)
        raise
