"""How real calls went in the last half minute, and a provider that notes it down.

Filled by `Timed` around the real provider, drawn from by providers.silent. It holds no ids, numbers or codes, and
only the newest calls.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from service.providers.base import (
    CheckAnswer,
    Found,
    Judged,
    NotJudged,
    Order,
    Provider,
    SendAnswer,
    State,
)

Kind = Literal["send", "check", "state"]
KEPT = 256
FRESH = 30.0
# An outage begins and ends within a second, and one call copied again and again is not how a provider answers.
NOW = 2.0
ENOUGH = 8
WRONG = Judged(accepted=False)

_dice = random.SystemRandom()


class Timing(msgspec.Struct, frozen=True):
    """One real call. `at` and `seconds` are of a monotonic clock; `outcome` is never an accepted code."""

    at: float
    seconds: float
    outcome: CheckAnswer


class Timings:
    """The newest 256 calls of each kind, of which those of the last 30 s are drawn from."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty."""
        self.clock = clock
        self._kept: dict[Kind, deque[Timing]] = {kind: deque(maxlen=KEPT) for kind in ("send", "check", "state")}

    def record(self, kind: Kind, seconds: float, outcome: CheckAnswer = WRONG) -> Timing:
        """Keep how long a call took and, for a check or a state, how it ended; what was accepted is kept as wrong."""
        timing = Timing(self.clock(), seconds, WRONG if isinstance(outcome, Judged) else outcome)
        self._kept[kind].append(timing)
        return timing

    def draw(self, kind: Kind) -> Timing | None:
        """One of the fresh calls of a kind, each as likely; None when there was none.

        What was left of a wait that the provider named is less by the age of the call.
        """
        now = self.clock()
        return _choose([timing for timing in self._kept[kind] if now - timing.at <= FRESH], now)

    def draw_present(self, kind: Kind) -> Timing | None:
        """One of the calls that began within the last 2 s; None when they are too few to stand for how it is now."""
        now = self.clock()
        present = [timing for timing in self._kept[kind] if now - timing.at + timing.seconds <= NOW]
        return _choose(present, now) if len(present) >= ENOUGH else None


class Timed:
    """A provider that answers as the one inside, and whose calls are kept in `timings`."""

    def __init__(self, provider: Provider, timings: Timings) -> None:
        """Wrap a provider."""
        self.name = provider.name
        self._provider = provider
        self._timings = timings

    async def send(self, order: Order) -> SendAnswer:
        """As the provider."""
        started = self._timings.clock()
        answer = await self._provider.send(order)
        self._timings.record("send", self._timings.clock() - started)
        return answer

    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """As the provider."""
        started = self._timings.clock()
        answer = await self._provider.check(provider_id, code)
        self._timings.record("check", self._timings.clock() - started, answer)
        return answer

    async def state(self, provider_id: str) -> State | NotJudged:
        """As the provider."""
        started = self._timings.clock()
        answer = await self._provider.state(provider_id)
        outcome = WRONG if isinstance(answer, State) else answer
        self._timings.record("state", self._timings.clock() - started, outcome)
        return answer

    async def look_up(self, phone_number: str) -> list[Found] | NotJudged:
        """As the provider."""
        return await self._provider.look_up(phone_number)

    async def aclose(self) -> None:
        """As the provider."""
        await self._provider.aclose()


def _choose(timings: Sequence[Timing], now: float) -> Timing | None:
    return _age(_dice.choice(timings), now) if timings else None


def _age(timing: Timing, now: float) -> Timing:
    outcome = timing.outcome
    if not isinstance(outcome, NotJudged) or outcome.after is None:
        return timing
    left = max(0.0, outcome.after - (now - timing.at))
    return Timing(timing.at, timing.seconds, NotJudged(outcome.code, left))
