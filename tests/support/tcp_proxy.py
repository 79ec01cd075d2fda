"""A cable to the database that can be cut at a chosen moment, frozen, or pulled out.

Used by the tests of lost connections. Forwards bytes and understands none: the moment is chosen by bytes that
pass, such as the hash of a number among a statement's arguments.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

from sqlalchemy.engine import URL, make_url

# before: the server never sees the statement; during: it does, and has nobody to answer; after: its answer is lost.
Moment = Literal["before", "during", "after"]
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CHUNK = 1 << 18


class Cable:
    """Stands between a pool and its server. `cuts`: what to wait for and the moment, each used once.

    `accepted`: how many connections were opened.
    """

    def __init__(self, url: str) -> None:
        self._far = make_url(url)
        self._lines: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._plugged = True
        self.lag = 0.0  # seconds that everything takes longer to pass
        self.cuts: list[tuple[bytes, Moment]] = []
        self.accepted = 0

    def near(self, port: int) -> str:
        """Return the database's address by way of the cable."""
        far = self._far
        url = URL.create(
            far.drivername, far.username, far.password, "127.0.0.1", port, far.database, {"ssl": "disable"}
        )
        return url.render_as_string(hide_password=False)

    async def pull(self) -> None:
        """Cut every connection, and refuse new ones until `plug`."""
        self._plugged = False
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def plug(self) -> None:
        """Let connections through again."""
        self._plugged = True

    def freeze(self) -> None:
        """Let nothing through, and say nothing."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let everything through that waited."""
        self._flows.set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection of the pool's."""
        self.accepted += 1
        line = asyncio.create_task(self._carry((reader, writer)))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _carry(self, near: Ends) -> None:
        try:
            with suppress(OSError):
                if self._plugged:
                    await self._join(near, await self._dial())
        finally:
            near[1].transport.abort()

    async def _dial(self) -> Ends:
        _, places = self._far.get_dialect()().create_connect_args(self._far)
        host, port = str(places["host"]), places.get("port", 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _join(self, near: Ends, far: Ends) -> None:
        asked = asyncio.Event()  # what the server says next is to be lost
        ways = [
            asyncio.create_task(self._ask(near[0], far[1], asked)),
            asyncio.create_task(self._answer(far[0], near[1], asked)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            far[1].transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _ask(self, near: asyncio.StreamReader, far: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await near.read(CHUNK):
            await self._pass()
            moment = self._moment_of(data)
            if moment == "before":
                return
            if moment == "after":
                lost.set()
            far.write(data)
            await far.drain()
            if moment == "during":
                return

    async def _answer(self, far: asyncio.StreamReader, near: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while (data := await far.read(CHUNK)) and not lost.is_set():
            await self._pass()
            near.write(data)
            await near.drain()

    async def _pass(self) -> None:
        await self._flows.wait()
        if self.lag:
            await asyncio.sleep(self.lag)

    def _moment_of(self, data: bytes) -> Moment | None:
        for cut in self.cuts:
            if cut[0] in data:
                self.cuts.remove(cut)
                return cut[1]
        return None


@asynccontextmanager
async def lay_cable(url: str) -> AsyncIterator[tuple[Cable, str]]:
    """Lay a cable to the server of `url`, and answer it with the address of its near end."""
    cable = Cable(url)
    server = await asyncio.start_server(cable.accept, "127.0.0.1", 0)
    try:
        yield cable, cable.near(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        cable.thaw()
        await cable.pull()
