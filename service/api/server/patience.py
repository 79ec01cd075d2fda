"""How long to wait for a connection's peer: to send what it has begun, and to read what it was sent.

Used by protocol. Aborts the connection when the time is over, and does nothing else.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, Transport

from service import telemetry

# Seconds from a connection, or from the first byte of a request, to the end of its head, and from there to its last
# byte. uvicorn waits forever, so a stranger without a key could hold as many connections as the process may open.
HEAD = 10.0
SLOWEST = 60.0
# Seconds that an unread reply may stay in our memory, and that it may delay the closing of a connection.
UNREAD = 30.0
LINGER = 5.0


class ConnectionTimers:
    """The two clocks of one connection."""

    def __init__(self, loop: AbstractEventLoop, transport: Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._sending: TimerHandle | None = None
        self._seconds = 0.0
        self._reading: TimerHandle | None = None

    def expect_more(self, *, in_head: bool) -> None:
        """Start the time limit for a head, or for a body, unless it runs already."""
        seconds = HEAD if in_head else SLOWEST
        # Not started anew with each byte: what drips in would hold its connection for ever.
        if self._sending is None or self._seconds != seconds:
            self.expect_nothing()
            self._seconds = seconds
            self._sending = self._loop.call_later(seconds, self._give_up, "slow")

    def expect_nothing(self) -> None:
        """Stop the time limit: the peer has sent everything that it began."""
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def expect_to_read(self, seconds: float) -> None:
        """Start the time limit for reading what was sent."""
        self.take_as_read()
        self._reading = self._loop.call_later(seconds, self._give_up, "unread")

    def take_as_read(self) -> None:
        """Stop the time limit for reading."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _give_up(self, why: str) -> None:
        telemetry.CONNECTIONS_CLOSED.labels(why).inc()
        # Not `close`, which would wait until the peer has read.
        self._transport.abort()
