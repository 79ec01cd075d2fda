"""Serving an ASGI app on loopback inside the test's own event loop.

Used by every test that speaks HTTP: real sockets, a port that the system chose, and no thread or process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from typing_extensions import override

from service.cli.process.serving import UVICORN

PATIENCE = 1.0
"""Seconds that requests in flight have to end when the server is told to stop."""


class _QuietServer(uvicorn.Server):
    """Leaves SIGINT and SIGTERM to pytest, and starts and stops without waiting for uvicorn's ticks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.told_to_stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it is up. uvicorn's SystemExit would end the whole test run."""
        try:
            await super().startup(sockets)
        except SystemExit:
            raise RuntimeError("the app did not start") from None
        finally:
            self.up.set()

    async def main_loop(self) -> None:
        """Wait; the tick's only other duty is the Date header, which must be right to the second."""
        while not self.told_to_stop.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.told_to_stop.wait(), 1.0)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests in flight end, cut off those that hang; uvicorn's own sleeps 0.1 s every time."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, hanging = await asyncio.wait(self.server_state.tasks, timeout=PATIENCE)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
        await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serve_app(app: Any, *, port: int = 0, **more: Any) -> AsyncIterator[str]:
    """Serve `app` with the settings of `serve`, its lifespan included, and yield `http://127.0.0.1:PORT`.

    `more`: uvicorn's settings, by its names. `port`: one of tests.support.ports, if others must know it before.

    Raises RuntimeError when it does not start. Requests that still hang at the end are cut off, so that a test
    of a hanging server ends.
    """
    config = uvicorn.Config(app, **{**UVICORN, "log_level": "critical", **more})
    server = _QuietServer(config)
    # With the protocol named: asyncio sets TCP_NODELAY on no other, and each answer would take 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if port:  # a run before this one may have used it a moment ago
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await server.up.wait()
            if server.started:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.told_to_stop.set()
            await serving
