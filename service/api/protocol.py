"""HTTP/1.1 below the app: what cannot be parsed is a problem too, and a head that never ends is cut off.

Given to uvicorn by cli. Sees bytes before anybody has shown a key, so it keeps and logs none of them.
"""

from __future__ import annotations

import re
import secrets
from asyncio import TimerHandle, Transport
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service import telemetry
from service.api.problems import KINDS, MEDIA_TYPE, HeadTooLarge, Kind, Malformed

# The parser itself has no limit: a request line and headers are kept until they are complete.
LARGEST_HEAD = 64 * 1024
# Seconds from a connection, or the first byte of a request, to that request's last byte. uvicorn waits for ever, and a
# stranger without a key could hold as many connections as the process may open.
SLOWEST = 60.0
# What Java's client offers with each first request over plain HTTP, and anybody may decline by saying nothing.
H2C = re.compile(rb"(?<=\r\n)upgrade(?=[ \t]*:[ \t]*h2c[ \t]*\r\n)", re.IGNORECASE)


class Protocol(HttpToolsProtocol):
    """uvicorn's own, with answers of our form and limits."""

    _head = 0
    _in_head = True
    _ended = False
    _within = False
    _too_large = False
    _deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Expect a request soon."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(SLOWEST, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; give up on a head that is over the limit and still not complete."""
        self._ended = False
        super().data_received(_decline_h2c(data) if self._in_head and b"h2c" in data else data)
        if self._deadline is None and (self._within or not self._ended):
            self._deadline = self.loop.call_later(SLOWEST, self.transport.close)
        if self._in_head and not self._ended:
            self._head += len(data)
            if self._head > LARGEST_HEAD and not self.transport.is_closing():
                self._refuse(KINDS[HeadTooLarge])

    def on_headers_complete(self) -> None:
        """Give up on a head that is over the limit, though it came at once, and on an upgrade with a body."""
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD:
            self._too_large = True
            raise ValueError
        # The parser takes what follows an upgrade for another protocol, and uvicorn that for the next request: a
        # stranger's body would be answered to whoever shares his proxy's connection.
        if self.parser.should_upgrade() and any(map(_is_of_body, self.headers)):
            raise ValueError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._in_head, self._ended, self._within, self._head = True, True, False, 0
        self._expect_nothing()
        super().on_message_complete()

    def on_message_begin(self) -> None:
        """Expect its end."""
        self._within = True
        super().on_message_begin()

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's words, for which we have our own)
        """Answer what cannot be parsed."""
        self._refuse(KINDS[HeadTooLarge if self._too_large else Malformed])

    def _refuse(self, kind: Kind) -> None:
        telemetry.REQUESTS.labels("unmatched", kind.status).inc()
        body = msgspec.json.encode(kind.problem("Send HTTP/1.1." if kind.status == HTTPStatus.BAD_REQUEST else None))
        head = (
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nx-request-id: {secrets.token_hex(8)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[kind.status] + head.encode() + body)
        self.transport.close()


def _decline_h2c(data: bytes) -> bytes:
    """Rename an offer of HTTP/2 in a head that came whole: the parser would not read the body of who makes it."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    return H2C.sub(b"declined", head + blank[:2]) + blank[2:] + rest


def _is_of_body(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0") != b"")
