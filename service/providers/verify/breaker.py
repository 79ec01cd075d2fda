"""A circuit breaker. Closed, everything goes through; open, nothing, until a probe of our own succeeds.

Made by providers.verify.health, for everybody and for each Verify profile. No request, send or check is ever a probe:
whoever made it would learn from the next reply whether it had been sent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

# Seconds from opening to the first probe, and between two probes at most.
FIRST_PROBE = 2.0
LONGEST_WAIT = 15.0
# If a probe succeeded and the next send failed all the same, later probes are further apart, up to this (seconds).
LONGEST_DOUBT = 300.0

Clock = Callable[[], float]


class ProbedBreaker:
    """One trouble, from its beginning to the probe that finds it over. The clock is monotonic, in seconds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._wait = FIRST_PROBE
        self._doubt = 0.0
        self._probe_at = 0.0
        self.reason: str | None = None
        self.probing = False

    @property
    def open(self) -> bool:
        return self.reason is not None

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next probe, at least 1, for Retry-After."""
        return max(1, math.ceil(self._probe_at - self._clock())) if self.open else 1

    @property
    def due(self) -> bool:
        return self.open and not self.probing and self._clock() >= self._probe_at

    def trip(self, reason: str) -> bool:
        """Open; return whether it was closed before. Calls that were under way when it opened change nothing."""
        if self.open:
            return False
        self.reason = reason
        self._wait = max(FIRST_PROBE, self._doubt)
        self._probe_at = self._clock() + self._wait
        return True

    def succeed(self) -> None:
        """Note that something went through: the probe was right."""
        if not self.open:
            self._doubt = 0.0

    def settle(self, *, well: bool) -> None:
        """Note a probe's result: close, or wait for the next probe, twice as long each time."""
        if well:
            self.reason = None
            self._doubt = min(max(FIRST_PROBE, self._wait) * 2, LONGEST_DOUBT)
            return
        self._wait = max(min(self._wait * 2, LONGEST_WAIT), self._doubt)
        self._probe_at = self._clock() + self._wait
