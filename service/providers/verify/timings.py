"""How our own calls to a provider went, noted from the moment they begin.

Filled by `Timed` around the real provider and by the asks of providers.verify.decoy, which draws from both. It holds no
ids, numbers or codes, and only the newest calls.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeVar

import msgspec

from service.providers.verify.protocol import (
    CheckAnswer,
    CodeCompared,
    InDoubt,
    ListedVerification,
    NotCompared,
    Order,
    Provider,
    SendAnswer,
    State,
)

CallKind = Literal["send", "check", "state"]
KINDS: tuple[CallKind, ...] = ("send", "check", "state")
KEPT = 256
# Seconds. A quiet process remembers the calls of some hours; Telnyx may have changed since older ones.
REMEMBERED = 4 * 3600.0
# An outage begins and ends within seconds: ENOUGH calls begun within the last NOW seconds show how Telnyx is now.
NOW = 2.0
ENOUGH = 8
# Of more than that, only the newest so many count, so that the end of an outage is seen sooner.
MANY = 16
# How many of the newest calls to draw from when there were not enough just now.
NEWEST = 32
WRONG = CodeCompared(accepted=False)

T = TypeVar("T", SendAnswer, CheckAnswer, State | NotCompared)

_dice = random.SystemRandom()


class TimedCall(msgspec.Struct):
    """One call. `started`: on a monotonic clock; `seconds`: None while it is under way; `outcome` is never accepted.

    A call that we broke off ends without an outcome, and nothing is learnt from it.
    """

    started: float
    seconds: float | None = None
    outcome: CheckAnswer | None = None
    ended: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    @property
    def failed(self) -> bool:
        """Whether a caller whose check ended like this would get 503."""
        return isinstance(self.outcome, NotCompared | InDoubt)


class Timings:
    """The newest calls of each kind: those made for somebody, and those that decoys made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._real: dict[CallKind, deque[TimedCall]] = {kind: deque(maxlen=KEPT) for kind in KINDS}
        self._asked: dict[CallKind, deque[TimedCall]] = {kind: deque(maxlen=KEPT) for kind in KINDS}

    def begin(self, kind: CallKind, *, asked: bool = False) -> TimedCall:
        """Note that a call begins: others may be made to end like it."""
        call = TimedCall(self.clock())
        (self._asked if asked else self._real)[kind].append(call)
        return call

    async def follow(self, call: TimedCall, answer: Awaitable[T]) -> T:
        """Wait for the answer to a call, and note how it ended."""
        given: T | None = None
        try:
            given = await answer
        finally:
            self.end(call, given)
        return given

    def end(self, call: TimedCall, answer: SendAnswer | CheckAnswer | State | None) -> None:
        """Note how a call ended: not compared, in doubt, or else as a wrong code ends.

        None if it was broken off.
        """
        call.seconds = self.clock() - call.started
        call.outcome = answer if answer is None or isinstance(answer, NotCompared | InDoubt) else WRONG
        call.ended.set()

    def record(self, kind: CallKind, seconds: float, outcome: CheckAnswer = WRONG, *, asked: bool = False) -> TimedCall:
        """Note a call that has just ended, and took so long."""
        call = self.begin(kind, asked=asked)
        call.started -= seconds
        self.end(call, outcome)
        return call

    def draw_present(self, kind: CallKind) -> TimedCall | None:
        """Draw one of the real calls begun within the last 2 s; None if they are too few to show how Telnyx is now.

        Calls still under way are included: else slow ones would be missed more often than quick ones.
        """
        since = self.clock() - NOW
        present = [call for call in self._real[kind] if call.started >= since and _tells(call)]
        return _dice.choice(present[-MANY:]) if len(present) >= ENOUGH else None

    def draw_newest(self, kind: CallKind) -> TimedCall | None:
        """Draw one of the newest calls, real or asked, each with equal chance; None if there was none for hours."""
        since = self.clock() - REMEMBERED
        calls = [call for call in (*self._real[kind], *self._asked[kind]) if call.started >= since and _tells(call)]
        calls.sort(key=lambda call: call.started)
        return _dice.choice(calls[-NEWEST:]) if calls else None

    def remember(self, kind: CallKind) -> tuple[Sequence[TimedCall], Sequence[TimedCall]]:
        """Return the newest eight real calls of the last hours that have ended, and what was asked since they began."""
        since = self.clock() - REMEMBERED
        real = [call for call in self._real[kind] if call.started >= since and call.outcome is not None][-ENOUGH:]
        if not real:
            return [], []
        return real, [call for call in self._asked[kind] if call.started >= real[0].started and call.outcome]


class Timed:
    """Wraps a provider, and notes its calls in `timings`."""

    def __init__(self, provider: Provider, timings: Timings) -> None:
        self.name = provider.name
        self.real = provider.real
        self._provider = provider
        self._timings = timings

    async def send(self, order: Order) -> SendAnswer:
        return await self._timings.follow(self._timings.begin("send"), self._provider.send(order))

    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        return await self._timings.follow(self._timings.begin("check"), self._provider.check(provider_id, code))

    async def state(self, provider_id: str) -> State | NotCompared:
        return await self._timings.follow(self._timings.begin("state"), self._provider.state(provider_id))

    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
        return await self._provider.look_up(phone_number)

    async def aclose(self) -> None:
        await self._provider.aclose()


def _tells(call: TimedCall) -> bool:
    return call.seconds is None or call.outcome is not None
