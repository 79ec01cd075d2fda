"""One HTTP call to the outside: limited in time, size and connections, and a POST is never made twice.

Used by every provider that speaks HTTP, each with an HttpClient of its own. It must never follow a redirect, repeat a
POST, or let a text of the other side, or an address with a secret in it, appear in an error.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

import aiohttp
from yarl import URL

from service import tracing
from service.providers.http.connector import Connector
from service.providers.http.exchange import TrackedRequest, exchange
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
        self._connect_seconds = connect_seconds
        self._most_received = most_received
        self._opened: Connector | None = None
        self._origin: aiohttp.ClientRequest | None = None
        self._prefix = ""
        self._closed = False

    async def call(
        self, method: str, url: str, body: bytes | None, seconds: float, most_bytes: int = MOST_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResult:  # fmt: skip
        """Make one call of at most `seconds`. Raises nothing but cancellation."""
        span = tracing.call(method, url) if self._traced else None
        if span is None:
            return await self._call(method, url, body, seconds, most_bytes, headers)
        with span as called:
            heard = await self._call(method, url, body, seconds, most_bytes, {**(headers or {}), **called.headers})
            called.note(heard.status if isinstance(heard, HttpReply) else heard.code)
            return heard

    async def aclose(self) -> None:
        """Close all connections; later calls fail."""
        self._closed = True
        if self._opened:
            await self._opened.close()

    async def _call(
        self, method: str, url: str, body: bytes | None, seconds: float, most_bytes: int,
        headers: Mapping[str, str] | None,
    ) -> HttpResult:  # fmt: skip
        if self._closed:
            return NoReply(handed_over=False, code="closed")
        request = None
        try:
            async with asyncio.timeout(seconds):
                origin, target = self._aim(url)
                request = TrackedRequest(method, target, origin.headers, body, seconds)
                if headers:
                    request.headers.update(headers)
                try:
                    return await self._exchange(origin, request, most_bytes)
                except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                    if method != "GET" or not request.handed_over:
                        raise
                # Once more: the other side may have closed an idle connection at that very moment.
                return await self._exchange(origin, request, most_bytes)
        except Exception as error:  # noqa: BLE001
            # Whatever the other side provokes ends as a value: an error's text would repeat the address, the key in a
            # header, or what was answered, and a send whose call raised would be nobody's to record.
            return NoReply(request is not None and request.handed_over, _name(error))

    async def _exchange(self, origin: aiohttp.ClientRequest, request: TrackedRequest, most_bytes: int) -> HttpReply:
        connection, receiver = await self._open().take(origin)
        try:
            reply = await exchange(request, receiver, most_bytes)
        except BaseException:
            connection.close()
            raise
        connection.release()  # which closes one whose reply was not read to its end
        return reply

    def _aim(self, url: str) -> tuple[aiohttp.ClientRequest, str]:
        """Return what connections to a URL's origin are asked for with, and what to ask for there.

        The headers of the former go with each call. A URL like the one before is not parsed again.
        """
        if self._origin is not None and url.startswith(self._prefix) and "#" not in url:
            return self._origin, url[len(self._prefix) - 1 :]
        where = URL(url, encoded=True)
        self._origin = aiohttp.ClientRequest("GET", where, headers=self._headers)
        self._prefix = f"{where.origin()}/"
        return self._origin, where.raw_path_qs

    def _open(self) -> Connector:
        if self._opened is None:
            self._opened = Connector(
                self._connections, KEEP_ALIVE, self._connect_seconds, self._make_socket, self._most_received
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


def _name(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ForbiddenAddress):
        return "address_refused"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "no_connection"
    return "time_limit" if isinstance(error, TimeoutError) else "broken_off"
