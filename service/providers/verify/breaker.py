"""Closed: all goes through. Open: nothing, until a probe of our own finds that it would.

Made by providers.verify.health, one for what concerns everybody and one for each profile in trouble. No request, send
or check is ever a probe: whoever made it would learn from the next answer whether it had been sent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

# Seconds from an opening to its first probe, and between two at most.
FIRST_PROBE = 2.0
LONGEST_WAIT = 15.0
# Where a probe found all well and the next send found it was not, what the probe says is believed more seldom.
LONGEST_DOUBT = 300.0

Clock = Callable[[], float]


class Breaker:
    """One trouble, from its opening to the probe that finds it over. The clock is monotonic, in seconds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Begin closed."""
        self._clock = clock
        self._wait = FIRST_PROBE
        self._doubt = 0.0
        self._probe_at = 0.0
        self.reason: str | None = None
        self.probing = False

    @property
    def open(self) -> bool:
        """Whether nothing may go through."""
        return self.reason is not None

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next probe, at least 1."""
        return max(1, math.ceil(self._probe_at - self._clock())) if self.open else 1

    @property
    def due(self) -> bool:
        """Whether it is time for a probe."""
        return self.open and not self.probing and self._clock() >= self._probe_at

    def trip(self, reason: str) -> bool:
        """Open; whether it was closed before. What was on its way when it opened changes nothing."""
        if self.open:
            return False
        self.reason = reason
        self._wait = max(FIRST_PROBE, self._doubt)
        self._probe_at = self._clock() + self._wait
        return True

    def succeed(self) -> None:
        """Take in that something went through: the probe that let it was right."""
        if not self.open:
            self._doubt = 0.0

    def settle(self, *, well: bool) -> None:
        """Take in what a probe found: close, or wait for the next, twice as long each time."""
        if well:
            self.reason = None
            self._doubt = min(max(FIRST_PROBE, self._wait) * 2, LONGEST_DOUBT)
            return
        self._wait = max(min(self._wait * 2, LONGEST_WAIT), self._doubt)
        self._probe_at = self._clock() + self._wait
