"""The gateway's processes: each with its own cables to both sites of the database, started again when it dies.

Used by world and strikes. A supervisor's part is played by `keep`, as systemd or Kubernetes would.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from tests.chaos.database import Sites
from tests.chaos.processes import Child
from tests.chaos.records import Book
from tests.support.tcp_proxy import Cable

LOOK = 0.2
# Sends that run end within 15 s; a process may stand still in between, or be starved.
END_LIMIT = 60.0
READY = aiohttp.ClientTimeout(total=5)


class Gateway:
    """One process of `serve` or `dispatch`. `down_until`: on the monotonic clock; it is not started before."""

    def __init__(self, name: str, child: Child, url: str | None, cables: list[Cable]) -> None:
        self.name = name
        self.child = child
        self.url = url
        self.cables = cables
        self.down_until = 0.0
        self.starts = 0

    def kill(self, down: float) -> None:
        """Have it die at once, and stay away for a while."""
        self.down_until = time.monotonic() + down
        self.child.kill()

    async def end(self, down: float) -> bool:
        """Ask it to end, as a rolling restart does; say whether it did within the time that it has for that."""
        self.down_until = float("inf")
        self.child.send(signal.SIGTERM)
        ended = await self.child.ended(END_LIMIT)
        if not ended:
            self.child.kill()
        self.down_until = time.monotonic() + down
        return ended

    async def keep(self, book: Book) -> None:
        """Start it whenever it is not there and should be."""
        while True:
            if not self.child.alive and time.monotonic() >= self.down_until:
                self.child.start()
                self.starts += 1
                book.note(f"{self.name} starts")
            await asyncio.sleep(LOOK)

    async def is_ready(self, session: aiohttp.ClientSession) -> bool:
        """Whether it answers and has its database; of a dispatcher, whether it lives."""
        if self.url is None:
            return self.child.alive
        try:
            async with session.get(f"{self.url}/readyz", timeout=READY) as reply:
                return reply.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@asynccontextmanager
async def open_gateways(
    commands: Sequence[str], settings: Mapping[str, str], sites: Sites, ports: Iterator[int], folder: Path, book: Book
) -> AsyncIterator[list[Gateway]]:
    """Start one process for each command and keep them all up; end them."""
    gateways: list[Gateway] = []
    async with AsyncExitStack() as stack:
        for number, command in enumerate(commands, 1):
            cables, hosts = [], []
            for server in sites.servers:
                cable, port = Cable(server.url()), next(ports)
                listening = await asyncio.start_server(cable.accept, "127.0.0.1", port)
                stack.push_async_callback(_unplug, cable, listening)
                cables.append(cable)
                hosts.append(f"host=127.0.0.1:{port}")
            url = f"postgresql+asyncpg://app@/verify?{'&'.join(hosts)}&ssl=disable"
            port = next(ports)
            words = ["service", command, *(["--port", str(port)] if command == "serve" else [])]
            child = Child(words, folder / f"{command}-{number}.log", {**settings, "DATABASE_URL": url})
            stack.callback(child.kill)
            address = f"http://127.0.0.1:{port}" if command == "serve" else None
            gateways.append(Gateway(f"{command} {number}", child, address, cables))
        keepers = [asyncio.create_task(gateway.keep(book)) for gateway in gateways]
        stack.push_async_callback(_stop, keepers)
        yield gateways


async def _unplug(cable: Cable, listening: asyncio.Server) -> None:
    listening.close()
    cable.thaw()
    await cable.pull()


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
