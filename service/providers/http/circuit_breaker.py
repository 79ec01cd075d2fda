"""A circuit breaker: opened by failures in a row, tried by one call at a time, closed by an answer.

Held by providers.fingerprint.client, fraud.gathering.captchas and fraud.gathering.line_types. It must open only for
outages: what a visitor can cause (forged ids, a spent quota, events that cannot be decoded) counts as an answer.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds, except FAILURES.
FAILURES = 5
COOL_DOWN = 2.0
LONGEST_COOL_DOWN = 30.0


class CircuitBreaker:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._cool_down = 0.0
        self._open_until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether it is open: it has opened and no answer has come since."""
        return self._cool_down > 0

    def admit(self) -> bool:
        """Return whether a call may be made; `note` or `release` must follow. Half open, one call at a time may."""
        if not self.open:
            return True
        if self._probing or self._clock() < self._open_until:
            return False
        self._probing = True
        return True

    def note(self, *, outage: bool) -> None:
        """Note how a call ended. Calls that were under way when it opened cannot open it further."""
        if not outage:
            self._failures, self._cool_down, self._probing = 0, 0.0, False
            return
        self._failures += 1
        if self._probing or (not self.open and self._failures >= FAILURES):
            self._cool_down = min(max(COOL_DOWN, self._cool_down * 2), LONGEST_COOL_DOWN)
            self._open_until = self._clock() + self._cool_down
            self._probing = False

    async def watch(self, call: Awaitable[T]) -> T:
        """Await a call that was admitted, which its caller then notes; `release` one that is broken off."""
        try:
            return await call
        except BaseException:
            # Nobody would note its end: half open, with its one call never over, the breaker would admit no other.
            self.release()
            raise

    def release(self) -> None:
        """Ignore a call that says nothing: it was given up, or had too little time."""
        self._probing = False
