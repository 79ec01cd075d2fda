"""The event loop of a serving process: uvloop that accepts many connections a turn and limits TLS handshakes.

Named in serving's UVICORN. It must never leave a listener open after the server it returned was closed.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import uvloop

from service.api.server.patience import HEAD

# uvloop accepts one connection a turn from each listener. Under load a turn is long, and new connections would wait in
# the kernel for many seconds, where nobody answers them 503.
LISTENERS = 16


class Listeners:
    """Several servers on one address that act as one."""

    def __init__(self, servers: list[asyncio.Server]) -> None:
        """Hold servers that already listen."""
        self._servers = servers

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The first server's: to whoever connects, the others are the same."""
        return tuple(self._servers[0].sockets)

    def is_serving(self) -> bool:
        """Return whether the servers listen."""
        return self._servers[0].is_serving()

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        """Wait until every server has stopped listening."""
        for server in self._servers:
            await server.wait_closed()


class Loop(uvloop.Loop):
    """Limits TLS handshakes, for which uvicorn has no setting: silent connections would stay six times as long."""

    async def create_server(self, *args: Any, ssl: Any = None, **options: Any) -> asyncio.Server:
        """Listen; with `ssl`, allow a handshake as much time as a request's head."""
        limits = {"ssl_handshake_timeout": HEAD} if ssl else {}
        listen: Any = super().create_server  # whose two signatures share no way to be called with what is passed on
        first: asyncio.Server = await listen(*args, ssl=ssl, **limits, **options)
        again = limits | {name: options[name] for name in ("backlog",) if name in options}
        others = [
            await listen(args[0], sock=listener.dup(), ssl=ssl, **again)
            for listener in first.sockets
            for _ in range(LISTENERS - 1)
        ]
        return cast("asyncio.Server", Listeners([first, *others]))  # uvicorn needs no more of a server
