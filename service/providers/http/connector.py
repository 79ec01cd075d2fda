"""Connections of one HttpClient: names looked up apart from everybody else's, and an end to what the other side sends.

Made by providers.http.client. No name, however long its servers take, must hold up another's look-up, and nothing that
is received must keep the event loop busy.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection, SocketFactoryType
from typing_extensions import override

Found = list[tuple[Any, ...]]


class Connector(aiohttp.TCPConnector):
    """Keep-alive connections, at most `most`. `most_received`: bytes on a connection for one request."""

    def __init__(
        self, most: int, keep_alive: float, connect_seconds: float, make_socket: SocketFactoryType, most_received: int
    ) -> None:
        """`connect_seconds`: for a place in the pool, name, TCP and TLS together."""
        super().__init__(
            limit=most, keepalive_timeout=keep_alive, socket_factory=make_socket, resolver=OwnThreadResolver()
        )
        self._factory = partial(_receive, self._loop, most_received)
        self._limits = aiohttp.ClientTimeout(total=None, connect=connect_seconds)

    async def take(self, origin: aiohttp.ClientRequest) -> tuple[Connection, Receiver]:
        """Take a connection to where a request would go; the caller releases or closes it."""
        try:
            connection = await self.connect(origin, [], self._limits)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        receiver = cast("Receiver", connection.protocol)
        if receiver.should_close:
            # Something came unasked, which would be taken for the reply: a server's 408 to an idle connection.
            connection.close()
            raise aiohttp.ClientConnectionResetError
        return connection, receiver


class OwnThreadResolver(AbstractResolver):
    """Looks each name up in a thread of its own; the connector looks no name up twice at once, and keeps what it found.

    uvloop looks up two names at a time, and asyncio a few more: two whose servers hang would hold up those of Telnyx,
    of the database and of every other receiver.
    """

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found: Future[Found] = Future()
        # A daemon: the end of the process must not wait for it.
        Thread(target=_look_up, args=(found, host, port, family), name="look-up", daemon=True).start()
        return [_read(host, *one) for one in await asyncio.wrap_future(found)]

    @override
    async def close(self) -> None:
        """Do nothing: a look-up that is under way ends by itself."""


class Receiver(ResponseHandler):
    """One connection. What comes beyond `most` bytes is not parsed: there is no other end to interim replies (1xx)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        super().__init__(loop)
        self._most = self._left = most

    def begin(self) -> None:
        """Begin with a request."""
        self._left = self._most
        self.set_response_params(read_until_eof=True, auto_decompress=False)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data[: self._left])
        self._left -= len(data)
        if self._left < 0 and self.transport is not None:
            self._left = 0
            self.transport.abort()


def _receive(loop: asyncio.AbstractEventLoop, most: int) -> ResponseHandler:
    return Receiver(loop, most)


def _look_up(found: Future[Found], host: str, port: int, family: socket.AddressFamily) -> None:
    found.set_running_or_notify_cancel()
    try:
        found.set_result(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG))
    except (OSError, UnicodeError) as error:
        found.set_exception(error if isinstance(error, OSError) else OSError("no host name"))


def _read(host: str, family: int, _: int, protocol: int, __: str, where: tuple[Any, ...]) -> ResolveResult:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=where[0], port=where[1], family=family, proto=protocol, flags=numeric)
