"""HTTP/1.1 below the app: one request of a connection at a time, and problem+json for what cannot be parsed.

Passed to uvicorn by cli. Sees bytes before anybody has shown a key, so it keeps no more of them than one read, and
logs none.
"""

from __future__ import annotations

import re
import secrets
import sys
from asyncio import AbstractEventLoop
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service import telemetry
from service.api.problems import KINDS, MEDIA_TYPE, HeadTooLarge, MalformedRequest, ProblemKind
from service.api.server.connections import OpenConnections
from service.api.server.observation import Observation
from service.api.server.patience import LINGER, UNREAD, ConnectionTimers
from service.api.server.received import ReceiveBuffer
from service.api.server.replies import ReplyWriter
from service.api.services import WAITING
from service.db.batch import Waiting
from service.errors import Unavailable

# Paths that may be refused unread while more comes than can be read: not health, metrics or webhooks.
PRODUCT = b"/v1/"
# Java's client offers this with each first request over plain HTTP; a server declines by ignoring it.
H2C = re.compile(rb"(?<=\r\n)upgrade(?=[ \t]*:[ \t]*h2c[ \t]*\r\n)", re.IGNORECASE)


class Flow(FlowControl):
    """Controls whether the transport reads. uvicorn would resume with every reply, and for every body."""

    full = False

    def resume_reading(self) -> None:
        """Resume reading, unless there is more at hand than may be parsed now."""
        if not self.full:
            super().resume_reading()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with our error format and limits, and one request at a time.

    The parser gets no byte of a request before the one ahead of it is answered: it makes an object of each, a hundred
    times as large as the request, and would answer what it cannot parse out of turn.
    """

    flow: Flow
    scope: Any  # which a server may add to
    _patience: ConnectionTimers
    _replies: ReplyWriter

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn makes a protocol for each connection; the server's state is all that they have in common.
        shared = vars(server_state)
        if "limited" not in shared:
            shared["limited"] = OpenConnections(config.limit_concurrency or sys.maxsize)
        self._others: OpenConnections = shared["limited"]
        self.limit_concurrency = None  # which counts connections: uvicorn's own reply would not be problem+json
        self._received = ReceiveBuffer()

    def connection_made(self, transport: Any) -> None:
        """Accept the connection and expect a request soon, if there is room for one more."""
        super().connection_made(transport)
        self.flow, self._patience = Flow(transport), ConnectionTimers(self.loop, transport)
        self._replies = ReplyWriter(transport)
        if self._others.enter(transport):
            self._patience.expect_more(in_head=True)
        else:
            self._refuse(KINDS[Unavailable])

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after a closed connection."""
        # Whatever else fails: a place that is not given back is one connection less for good.
        self._others.leave(self.transport)
        self._patience.expect_nothing()
        self._patience.take_as_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Keep what was read, and parse it if it is its turn."""
        self._received.add(data)
        self._read_on()

    def _read_on(self) -> None:
        """Parse up to the end of a request that can be answered; what follows waits for that reply."""
        received = self._received
        while received and not self._is_answering() and (piece := received.take()):
            if received.is_too_large():
                self._refuse(KINDS[HeadTooLarge if received.in_head else RequestEntityTooLarge])
            else:
                super().data_received(H2C.sub(b"declined", piece) if received.in_head and b"h2c" in piece else piece)
            if self.transport.is_closing():
                return
        if not self._is_answering():
            if not received.ended:
                self._patience.expect_more(in_head=received.in_head)
        elif received:
            self.flow.full = True
            self.flow.pause_reading()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever its type annotation says
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def on_headers_complete(self) -> None:
        """Refuse what is not a plain request."""
        length = 0
        for name, value in self.headers:
            if name == b"content-length":
                length = int(value)
        # The parser takes what follows an upgrade for another protocol, and uvicorn takes that for the next request:
        # a stranger's body would be answered to whoever shares a proxy's connection with them.
        if self.parser.should_upgrade() and (length or any(name == b"transfer-encoding" for name, _ in self.headers)):
            raise ValueError
        # Nobody in front of us has checked a host in the target; and clients never send what follows a "#".
        if self.url[:1] != b"/" or b"#" in self.url:
            raise ValueError
        waiting = Waiting(self.loop.time(), self.transport.is_closing)
        self.scope[WAITING] = waiting
        self._take_up()
        cycle: Any = self.cycle  # to which nothing but a Transport may be given, by its type annotation
        cycle.transport = self._replies
        self._received.begin_body(length)
        # The request holds this list. Headers after the last chunk (trailers) would be added to it, and no proxy in
        # front has checked those.
        self.headers = []

    def _take_up(self) -> None:
        """Pass the request to the app or, if too many wait already, to what refuses them."""
        app = self.app
        before: RequestResponseCycle | None = self.cycle
        if not isinstance(app, Observation):
            super().on_headers_complete()
            return
        busy = self.url.startswith(PRODUCT) and not app.rush.has_room()
        self.app = app.refuse if busy else app
        super().on_headers_complete()
        self.app = app
        # A pipelined request begins when the one before it has been answered; until then it does not wait for a turn.
        if not busy and self.cycle is not before and (before is None or before.response_complete):
            app.rush.join()

    def on_message_complete(self) -> None:
        self._received.end()
        self._patience.expect_nothing()
        super().on_message_complete()
        if self._is_answering():
            # Closed from here on, its caller would not know whether the request was served.
            self._others.work(self.transport)

    def on_response_complete(self) -> None:
        """Expect the next request, which may have come already."""
        self.flow.full = False
        self._replies.flush()
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()
        else:
            self._others.wait(self.transport)
            if self._received:
                self._read_on()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for too long."""
        self._close()

    def pause_writing(self) -> None:
        """Wait for the peer to read, with a time limit."""
        # A peer that does not read keeps its reply in our memory, and its connection may make room for others.
        super().pause_writing()
        self._others.wait(self.transport)
        self._patience.expect_to_read(UNREAD)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._patience.take_as_read()
        if self._is_answering():
            self._others.work(self.transport)

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed with problem+json."""
        self._refuse(KINDS[MalformedRequest])

    def _refuse(self, kind: ProblemKind) -> None:
        """Answer in the app's stead, and close."""
        if not self._received.in_head:
            if self.cycle.response_started:
                # It was answered before its body came: a second reply would be taken for the next request's.
                self._close()
                return
            # The app may still be reading this body, and must not reply after we have.
            self.cycle.disconnected = True
        telemetry.REQUESTS.labels("unmatched", kind.status).inc()
        problem = kind.problem("Send HTTP/1.1." if kind.status == HTTPStatus.BAD_REQUEST else None)
        body = msgspec.json.encode(problem)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", secrets.token_hex(8).encode()),
            (b"connection", b"close"),
            *([(b"retry-after", b"%d" % problem.retry_after)] if problem.retry_after else []),
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[kind.status] + lines + b"\r\n" + body)
        self._close()

    def _close(self) -> None:
        """Close as soon as the peer has read what it was sent, or after a short time limit."""
        self.transport.close()
        if self in self.connections:
            self._patience.expect_to_read(LINGER)
