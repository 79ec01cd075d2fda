"""The open connections of one server: how many there may be, and which one is closed if there are more.

Used by protocol. Knows no HTTP, and never closes a connection on which a whole request is being answered.
"""

from __future__ import annotations

import time
from asyncio import Transport

from service import telemetry

# Seconds between two log lines: a flood of connections must not become a flood of lines.
QUIET = 60.0


class OpenConnections:
    """All open connections, and those that wait for their peer, in the order in which they began to wait."""

    def __init__(self, most: int) -> None:
        """`most`: how many may be open."""
        self._most = most
        self._open = 0
        self._waiting: dict[Transport, None] = {}
        self._logged = float("-inf")

    def enter(self, transport: Transport) -> bool:
        """Add a new connection; if there are too many, close the one that has waited longest.

        False: none is waiting, so the new one has to be refused.
        """
        self._open += 1
        telemetry.CONNECTIONS.inc()
        if self._open > self._most and not self._close_one():
            return False
        self._waiting[transport] = None
        return True

    def leave(self, transport: Transport) -> None:
        """Remove a closed connection."""
        self._open -= 1
        telemetry.CONNECTIONS.dec()
        self._waiting.pop(transport, None)

    def wait(self, transport: Transport) -> None:
        """Note that from now on a connection waits for its peer."""
        self._waiting.pop(transport, None)
        self._waiting[transport] = None

    def work(self, transport: Transport) -> None:
        """Note that a connection's peer waits for us, so it must not be closed."""
        self._waiting.pop(transport, None)

    def _close_one(self) -> bool:
        oldest = next(iter(self._waiting), None)
        telemetry.CONNECTIONS_CLOSED.labels("refused" if oldest is None else "crowded").inc()
        if (now := time.monotonic()) - self._logged > QUIET:
            self._logged = now
            telemetry.log.warning("connections_full", most=self._most)
        if oldest is None:
            return False
        # At once, not when it is lost: until then a second newcomer would be given the same place.
        del self._waiting[oldest]
        oldest.abort()
        return True
