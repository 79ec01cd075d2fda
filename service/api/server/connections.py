"""The open connections of one server: how many there may be, and which one is closed when there are more.

Used by protocol. Knows no HTTP, and never closes a connection on which a whole request is being answered.
"""

from __future__ import annotations

import time
from asyncio import Transport

from service import telemetry

# Seconds between two lines in the log that say the same: a flood of connections must not become one of lines.
QUIET = 60.0


class Connections:
    """Those that are open, and among them those that wait for their peer, in the order in which they began to."""

    def __init__(self, most: int) -> None:
        """Hold so many at most."""
        self._most = most
        self._open = 0
        self._waiting: dict[Transport, None] = {}
        self._logged = float("-inf")

    def enter(self, transport: Transport) -> bool:
        """Take in a new connection. Where there are too many, it costs the one that has waited longest its place.

        False: none is waiting, and the new one has to go.
        """
        self._open += 1
        telemetry.CONNECTIONS.inc()
        if self._open > self._most and not self._close_one():
            return False
        self._waiting[transport] = None
        return True

    def leave(self, transport: Transport) -> None:
        """Forget a connection that is closed."""
        self._open -= 1
        telemetry.CONNECTIONS.dec()
        self._waiting.pop(transport, None)

    def wait(self, transport: Transport) -> None:
        """Note that a connection waits for its peer from now on."""
        self._waiting.pop(transport, None)
        self._waiting[transport] = None

    def work(self, transport: Transport) -> None:
        """Note that a connection's peer waits for us."""
        self._waiting.pop(transport, None)

    def _close_one(self) -> bool:
        oldest = next(iter(self._waiting), None)
        telemetry.CONNECTIONS_CLOSED.labels("refused" if oldest is None else "crowded").inc()
        if (now := time.monotonic()) - self._logged > QUIET:
            self._logged = now
            telemetry.log.warning("connections_full", most=self._most)
        if oldest is None:
            return False
        del self._waiting[oldest]
        oldest.abort()
        return True
