"""A server that reads requests properly and answers with whatever bytes a test wants: for answers no framework gives.

Used by the tests of providers. Each request goes to the test's `reply` with the connection it came on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec


class RawRequest(msgspec.Struct, frozen=True):
    """One request: its first line, its header lines and its body. `number`: how many came before it."""

    number: int
    line: str
    headers: list[str]
    body: bytes


Respond = Callable[[RawRequest, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """What was received, and how many connections were open at most."""

    def __init__(self, respond: Respond) -> None:
        self.requests: list[RawRequest] = []
        self.url = ""
        self.most_connections = 0
        self._respond = respond
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.most_connections = max(self.most_connections, len(self._open))
        try:
            while not writer.is_closing():
                request = await self._read(reader)
                await self._respond(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> RawRequest:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *headers = head.strip().split("\r\n")
        lengths = [int(one.split(":")[1]) for one in headers if one.lower().startswith("content-length:")]
        body = await reader.readexactly(lengths[0]) if lengths else b""
        request = RawRequest(len(self.requests), line, headers, body)
        self.requests.append(request)
        return request


@asynccontextmanager
async def serve_raw(respond: Respond) -> AsyncIterator[RawServer]:
    """Serve on loopback; connections that are still open at the end are cut."""
    raw = RawServer(respond)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        raw.hang_up()
        server.close()
        await server.wait_closed()


def write_reply(status: int, body: bytes, *headers: str) -> bytes:
    """One whole HTTP reply."""
    lines = [f"HTTP/1.1 {status} Something", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
