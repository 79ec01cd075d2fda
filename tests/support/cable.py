"""A cable between a gateway and its database that can be cut and mended while both go on.

Used by the tests that take the database away. TCP in front, the server's own socket behind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import URL, make_url


class Cable:
    """Carries connections to one server; while it is cut, those are reset and new ones end at once."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._carried: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._whole = True

    def cut(self) -> None:
        """Break every connection, and take none."""
        self._whole = False
        for writer in self._carried:
            writer.transport.abort()

    def mend(self) -> None:
        """Take connections again."""
        self._whole = True

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        if not self._whole:
            writer.transport.abort()
            return
        query, host, port = self._url.query, self._url.host, self._url.port or 5432
        folder = query.get("host")
        if folder is None:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        else:
            path = f"{folder}/.s.PGSQL.{query.get('port') or port}"
            far_reader, far_writer = await asyncio.open_unix_connection(path)
        ends = {writer, far_writer}
        self._carried |= ends
        try:
            await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        finally:
            self._carried -= ends


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def lay_cable(url: str) -> AsyncIterator[tuple[Cable, str]]:
    """Lay a cable to the database at `url`; yield it and the URL of its near end."""
    parsed = make_url(url)
    cable = Cable(parsed)
    server = await asyncio.start_server(cable.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    near = parsed.set(host="127.0.0.1", port=port).difference_update_query(["host", "port"])
    try:
        yield cable, near.render_as_string(hide_password=False)
    finally:
        server.close()
        cable.cut()
        await asyncio.sleep(0)
