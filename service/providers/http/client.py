"""One HTTP call to the outside: limited in time, size and connections, and a POST is never made twice.

Used by every provider that speaks HTTP, each with an HttpClient of its own. It must never follow a redirect, repeat a
POST, or let a text of the other side, or an address with a secret in it, appear in an error.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from service import tracing
from service.providers.http.connector import Connector
from service.providers.http.public_addresses import ForbiddenAddress, is_public
from service.providers.http.reply import HttpReply, HttpResult, NoReply

# Idle connections are dropped before the servers' usual 5 s: if the other side closes one while a POST is under way,
# that POST is in doubt.
KEEP_ALIVE = 4.0
MOST_BYTES = 65_536
# Above what any call reads of a body (a page of Telnyx's list has a megabyte at most).
MOST_RECEIVED = 2_097_152
# Milliseconds after which the kernel stops delivering what the other side has not acknowledged. By default it would try
# for a quarter of an hour, even for a dead process, and deliver a POST that another process has long taken over.
UNACKNOWLEDGED = 8_000


class TrackedPayload(aiohttp.BytesPayload):
    """A body that knows whether it was handed to the connection: head and body go in one write, or not at all.

    Not at all once its time is over: a process that stood still while it connected must not send what another has
    taken over. The event loop's own time limit comes too late for that.
    """

    handed_over = False

    def __init__(self, body: bytes, seconds: float) -> None:
        super().__init__(body)
        self._latest = time.monotonic() + seconds

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if time.monotonic() > self._latest:
            raise TimeoutError
        self.handed_over = True
        try:
            await super().write_with_length(writer, content_length)
        except aiohttp.ClientConnectionResetError:
            # Raised before the write, if the connection closed between being chosen and this moment.
            self.handed_over = False
            raise


class HttpClient:
    """Keep-alive connections to one origin. `connect_seconds`: for a place in the pool, name, TCP and TLS together."""

    def __init__(
        self, connections: int, connect_seconds: float, headers: Mapping[str, str] | None = None, *,
        public_only: bool = False, traced: bool = False, most_received: int = MOST_RECEIVED,
    ) -> None:  # fmt: skip
        """`headers` go with each call; `public_only`: refuse addresses inside, whatever the name resolves to.

        `most_received`: bytes that are taken for one call, heads and all, before its connection is closed.
        `traced`: calls are in traces, and say where (a W3C traceparent: ids, which mean nothing to the other side). The
        first call opens connections, which belong to its event loop.
        """
        self._make_socket = _make_public_socket if public_only else _make_socket
        self._traced = traced
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # a body that is not decompressed cannot be a bomb
            "Content-Type": "application/json",
            "User-Agent": "verify-gateway",
        } | dict(headers or {})
        self._connections = connections
        self._most_received = most_received
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds)
        self._opened: aiohttp.ClientSession | None = None
        self._closed = False

    async def call(
        self, method: str, url: str, body: bytes | None, seconds: float, most_bytes: int = MOST_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResult:  # fmt: skip
        """Make one call of at most `seconds`. Raises nothing but cancellation."""
        if self._closed:
            return NoReply(handed_over=False, code="closed")
        letter = TrackedPayload(body, seconds) if body is not None else None
        try:
            async with (
                asyncio.timeout(seconds),
                self._session().request(
                    method, URL(url, encoded=True), data=letter, allow_redirects=False, headers=headers
                ) as response,
            ):
                return HttpReply(
                    response.status,
                    await _read(response.content, most_bytes),
                    response.headers.get("x-ratelimit-reset") or response.headers.get("retry-after"),
                    response.headers.get("date"),
                )
        except Exception as error:  # noqa: BLE001
            # Whatever the other side provokes ends as a value: an error's text would repeat the address, the key in a
            # header, or what was answered, and a send whose call raised would be nobody's to record.
            return NoReply(letter is None or letter.handed_over, _name(error))

    async def aclose(self) -> None:
        """Close all connections; later calls fail."""
        self._closed = True
        if self._opened:
            await self._opened.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=Connector(self._connections, KEEP_ALIVE, self._make_socket, self._most_received),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers=self._headers,
                timeout=self._timeout,
                trace_configs=tracing.hooks() if self._traced else None,
            )
        return self._opened


def _make_socket(address: tuple[int, int, int, str, object]) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
    return made


def _make_public_socket(address: tuple[int, int, int, str, object]) -> socket.socket:
    where = address[4]
    if not isinstance(where, tuple) or not is_public(str(where[0])):
        raise ForbiddenAddress
    return _make_socket(address)


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
    except aiohttp.ClientError:
        return b""
    return b"".join(parts)


def _name(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ForbiddenAddress):
        return "address_refused"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "no_connection"
    return "time_limit" if isinstance(error, TimeoutError) else "broken_off"
