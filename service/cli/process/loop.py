"""The event loop of a process that serves: uvloop, which takes many connections a turn and waits briefly for TLS.

Named in serving's UVICORN. It must never leave a listener open that the server which it returned has closed.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import uvloop

from service.api.server.patience import HEAD

# uvloop takes one connection a turn from each listener. While there is much to do a turn is long, and whoever connects
# would wait unseen in the kernel for many seconds, where nobody tells him 503.
LISTENERS = 16


class Listeners:
    """Servers on one address that begin and end as one."""

    def __init__(self, servers: list[asyncio.Server]) -> None:
        """Take servers that listen."""
        self._servers = servers

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The first one's: the others are the same to whoever connects."""
        return tuple(self._servers[0].sockets)

    def is_serving(self) -> bool:
        """Say whether it listens."""
        return self._servers[0].is_serving()

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        """Wait until nobody listens any more."""
        for server in self._servers:
            await server.wait_closed()


class Loop(uvloop.Loop):
    """uvicorn has no setting for the handshake: a silent connection would hold its place six times as long."""

    async def create_server(self, *args: Any, ssl: Any = None, **options: Any) -> asyncio.Server:
        """Listen; with `ssl`, give a connection as long for its handshake as for a head."""
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
