"""One request and its reply over a connection of aiohttp's, which also writes the one and parses the other.

Called by providers.http.client. It does without aiohttp's session, a third of a call's cost for what none here uses:
cookies, redirects, proxies, middlewares. It must never write a part of a request, nor read without a limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp
from aiohttp.http import StreamWriter
from multidict import CIMultiDict

from service.providers.http.connector import Receiver
from service.providers.http.reply import HttpReply

INTERIM = range(100, 200)
SWITCHED = 101


class TrackedRequest:
    """A request that knows whether it was handed to the connection: head and body go in one write, or not at all.

    Not at all once its time is over: a process that stood still while it connected must not send what another has
    taken over. The event loop's own time limit comes too late for that.
    """

    handed_over = False

    def __init__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> None:
        """`target`: the path, and the query if there is one, as they go out."""
        self._line = f"{method} {target} HTTP/1.1"
        self.headers = CIMultiDict(headers)
        self._body = body or b""
        if self._body or method != "GET":
            self.headers["Content-Length"] = str(len(self._body))
        self._latest = time.monotonic() + seconds

    async def write(self, receiver: Receiver) -> None:
        """Write all of it. Raises TimeoutError, or ClientConnectionResetError, if nothing was written."""
        writer = StreamWriter(receiver, asyncio.get_running_loop())
        await writer.write_headers(self._line, self.headers)  # which only keeps them
        if time.monotonic() > self._latest:
            raise TimeoutError
        self.handed_over = True
        try:
            await writer.write_eof(self._body)
        except aiohttp.ClientConnectionResetError:
            # Raised before the write, if the connection closed between being chosen and this moment.
            self.handed_over = False
            raise


async def exchange(request: TrackedRequest, receiver: Receiver, most_bytes: int) -> HttpReply:
    """Write a request and read its reply."""
    receiver.begin()
    await request.write(receiver)
    message, content = await receiver.read()
    while message.code in INTERIM and message.code != SWITCHED:
        message, content = await receiver.read()
    headers = message.headers
    return HttpReply(
        message.code,
        await _read(content, most_bytes),
        headers.get("x-ratelimit-reset") or headers.get("retry-after"),
        headers.get("date"),
    )


async def _read(content: aiohttp.StreamReader, most_bytes: int) -> bytes:
    """Read a body; empty if it breaks off or is too long, because the status is still worth knowing."""
    parts = []
    left = most_bytes
    try:
        while part := await content.read(left + 1):
            left -= len(part)
            if left < 0:
                return b""
            parts.append(part)
            if content.at_eof():
                break
    except aiohttp.ClientError:
        return b""
    return b"".join(parts)
