"""Plain HTTP for the stand-ins: read a whole request, send a whole reply, and ways to fail on purpose.

Called by sandbox.stage and the stand-ins. It knows nothing of Telnyx or Fingerprint, and is plain ASGI because
benchmarks run against it, and its CPU time is taken from the machine that is measured.
"""

from __future__ import annotations

import socket
import struct
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar.types import HTTPScope, Receive, Send

JSON = (b"content-type", b"application/json")
HTML = (b"content-type", b"text/html; charset=utf-8")
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Request(msgspec.Struct, frozen=True):
    """One request, its path split at the slashes and without the mount's prefix."""

    method: str
    parts: list[str]
    headers: dict[bytes, bytes]
    query: dict[str, str]
    body: bytes


class StandInReply(msgspec.Struct, frozen=True):
    """One reply. `after`: seconds to wait before it goes out, on top of the stage's latency."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)
    after: float = 0.0


class Declined(Exception):
    """Ends the reading of a request with a reply: nothing was acted upon."""

    def __init__(self, reply: StandInReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


async def read_request(scope: HTTPScope, receive: Receive) -> Request:
    """Read the whole body; the sandbox trusts its callers, so nothing limits the size."""
    body = b""
    while True:
        message: Any = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    query = scope["query_string"]
    return Request(
        scope["method"],
        scope["path"].strip("/").split("/"),
        dict(scope["headers"]),
        dict(parse_qsl(query.decode())) if query else {},
        body,
    )


async def send_reply(send: Send, reply: StandInReply) -> None:
    """Send one reply completely."""
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


async def wait_for_hang_up(receive: Receive) -> None:
    """Send nothing until the caller has gone."""
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return


def reset_connection(receive: Receive) -> None:
    """Drop the connection with a TCP reset, without a byte of a reply.

    ASGI cannot express this, so it uses uvicorn's transport: under another server it raises.
    """
    method: Any = receive
    transport = method.__self__.transport
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
