"""When a provider is down for everybody: opened by its answers, tried again after a while, closed by its answers.

Told of every real answer by verification.flow, asked by flow before anything is counted, ticked by the worker.
It must never tell one number or caller from another.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from typing import Literal

from service.providers.base import (
    CheckAnswer,
    InDoubt,
    Judged,
    NotJudged,
    Ours,
    Provider,
    Refused,
    SendAnswer,
    Sent,
    State,
    TryAgain,
)

# Seconds, but FAILURES.
SILENCE = 30.0
FAILURES = 3
COOL_DOWN = 5.0
LONGEST_COOL_DOWN = 60.0
PROBE_AHEAD = 1.0
SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

Operation = Literal["send", "check"]
Phase = Literal["closed", "open", "half_open"]
Clock = Callable[[], float]


class _Run:
    """Failures of one operation in a row. A throttled call is neither a failure nor an end to them."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._count = 0
        self._since = 0.0

    def fail(self, now: float) -> bool:
        """Count one failure; whether it is now certain that nothing gets through."""
        if self._count == 0:
            self._since = now
        self._count += 1
        return self._count >= FAILURES and now - self._since >= SILENCE


class Breaker:
    """Closed: all goes through. Open: nothing. Half open: all goes through, and the first telling answer decides.

    Telling is what comes of the operation that opened it, for a code that is judged says nothing of the funds
    for a send. `reason` is set while it is not closed. The clock is monotonic, in seconds.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Begin closed."""
        self._clock = clock
        self._runs: dict[Operation, _Run] = {"send": _Run(), "check": _Run()}
        self._opened_by: Operation | None = None
        self._open_until = 0.0
        self._cool_down = 0.0
        self._probe = "none"
        self._paused_until = 0.0
        self.reason: str | None = None

    @property
    def state(self) -> Phase:
        """Where it stands now. While a probe is out, all wait for its answer."""
        if self._opened_by is None:
            return "closed"
        return "open" if self._probe == "out" or self._clock() < self._open_until else "half_open"

    @property
    def open(self) -> bool:
        """Whether requests and checks are to be refused now."""
        return self.state == "open"

    @property
    def retry_after(self) -> int:
        """Whole seconds until it is worth another try, at least 1."""
        return max(1, math.ceil(self._open_until - self._clock())) if self.open else 1

    def paused_for(self) -> float:
        """Seconds that every send has to wait because the provider asked for it; 0 when none."""
        return max(0.0, self._paused_until - self._clock())

    def note(self, answer: SendAnswer) -> None:
        """Take in how a real send ended."""
        match answer:
            case TryAgain(throttled=True):
                self._pause(answer.after)
            case Sent() | Refused():
                self._succeed("send")
            case Ours():
                self._open("send", f"ours_{answer.code}")
            case TryAgain() | InDoubt():
                self._fail("send")

    def note_check(self, answer: CheckAnswer) -> None:
        """Take in how a real check ended."""
        match answer:
            case NotJudged(after=float()):
                self._pause(answer.after)
            case Judged():
                self._succeed("check")
            case NotJudged() | InDoubt():
                self._fail("check")

    async def tick(self, provider: Provider) -> None:
        """Ask the provider something harmless when an opening is about to end, or has ended unasked.

        Call it about once a second. So an outage that lasts is found out without a user's request, and one
        that is over ends at once.
        """
        if self._opened_by is None or self._probe != "none" or self._clock() < self._open_until - PROBE_AHEAD:
            return
        self._probe = "out"
        try:
            alive = await probe(provider)
        finally:
            self._probe = "back"
        if alive:
            self._open_until = min(self._open_until, self._clock())
        else:
            self._reopen()

    def _succeed(self, operation: Operation) -> None:
        self._runs[operation].clear()
        if self._opened_by == operation and self.state == "half_open":
            self._opened_by = None
            self._cool_down = 0.0
            self.reason = None

    def _fail(self, operation: Operation) -> None:
        certain = self._runs[operation].fail(self._clock())
        if certain or (self.state == "half_open" and self._opened_by == operation):
            self._open(operation, "nothing_taken")

    def _open(self, operation: Operation, reason: str) -> None:
        """Open, or open again for longer. Calls that were on their way when it opened change nothing."""
        if self.state != "open":
            self._opened_by, self.reason = operation, reason
            self._reopen()

    def _reopen(self) -> None:
        self._cool_down = min(max(COOL_DOWN, self._cool_down * 2), LONGEST_COOL_DOWN)
        self._open_until = self._clock() + self._cool_down
        self._probe = "none"

    def _pause(self, after: float | None) -> None:
        seconds = min(max(after or 0.0, SHORTEST_PAUSE), LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, self._clock() + seconds)


async def probe(provider: Provider) -> bool:
    """Whether the provider answers at all: it is asked for a verification that does not exist."""
    answer = await provider.state(str(uuid.uuid4()))
    return isinstance(answer, State) or answer.after is not None
