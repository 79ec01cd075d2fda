"""How many requests wait for their first turn, and whether another one could still be answered in time.

Asked by protocol before a request is taken up, told by observation when one is. Only while more come than this process
can read: what waits for the database or for Telnyx is not counted, for it costs no turns.
"""

from __future__ import annotations

import time

# Seconds of work that may wait for a first turn. What comes beyond is told 503 at once, at a fraction of the cost of an
# answer: a process that took up everything would answer nothing in time, for the next wait grows with each.
WORTH = 0.25
# Never fewer than this many: a burst is no overload.
LEAST = 256
# How long a request's turn takes before any was seen, and how much of the newest one goes into the mean.
FIRST_PACE = 0.0005
SHARE = 1 / 32
# Longer than this (seconds) nobody's turn takes: there was a pause.
PAUSE = 0.05


class Rush:
    """One process's queue of requests that have not begun."""

    def __init__(self) -> None:
        """Begin empty."""
        self._waiting = 0
        self._pace = FIRST_PACE
        self._last = 0.0

    def has_room(self) -> bool:
        """Say whether one more would have its turn in time."""
        return self._waiting < LEAST or self._waiting * self._pace < WORTH

    def join(self) -> None:
        """Have one more wait."""
        self._waiting += 1

    def begin(self) -> None:
        """Have one begin."""
        now = time.perf_counter()
        if self._waiting > 1:
            self._pace += SHARE * (min(PAUSE, now - self._last) - self._pace)
        self._last = now
        self._waiting = max(0, self._waiting - 1)
