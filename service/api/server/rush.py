"""How many requests wait for their first turn, and whether another one could still be answered in time.

Made by observation, which tells it when a request begins; the connections ask it before that. It counts only what this
process has not begun: requests that wait for the database or for Telnyx take no turns.
"""

from __future__ import annotations

import time

# Seconds of work that may wait for a first turn. Requests beyond get 503 at once, at a fraction of a reply's cost: a
# process that began everything would answer nothing in time, because each request makes the next wait longer.
WORTH = 0.25
# At least this many may wait: a burst is not an overload.
LEAST = 256
# The time of a request's turn (seconds) before any was measured, and the weight of the newest one in the mean.
FIRST_PACE = 0.0005
SHARE = 1 / 32
# No turn takes longer than this (seconds); beyond it, there was a pause.
PAUSE = 0.05


class Rush:
    """One process's queue of requests that have not begun."""

    def __init__(self) -> None:
        self._waiting = 0
        self._pace = FIRST_PACE
        self._last = 0.0

    def has_room(self) -> bool:
        """Return whether one more would have its turn in time."""
        return self._waiting < LEAST or self._waiting * self._pace < WORTH

    def join(self) -> None:
        """Count one more that waits."""
        self._waiting += 1

    def begin(self) -> None:
        """Count one that begins, and measure its turn."""
        now = time.perf_counter()
        if self._waiting > 1:
            self._pace += SHARE * (min(PAUSE, now - self._last) - self._pace)
        self._last = now
        self._waiting = max(0, self._waiting - 1)
