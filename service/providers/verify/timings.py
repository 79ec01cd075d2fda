"""How our own calls to a provider went, each from its first moment on, and a provider that notes it down.

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
    Found,
    InDoubt,
    Judged,
    NotJudged,
    Order,
    Provider,
    SendAnswer,
    State,
)

Kind = Literal["send", "check", "state"]
KINDS: tuple[Kind, ...] = ("send", "check", "state")
KEPT = 256
# Seconds. A quiet process remembers the calls of an evening; what is older was another Telnyx.
REMEMBERED = 4 * 3600.0
# An outage begins and ends within seconds: so many calls begun within so many seconds stand for how it is now.
NOW = 2.0
ENOUGH = 8
# The newest so many of them, where there are more: the end of an outage is then seen the sooner.
MANY = 16
# How many of the newest calls stand for the provider where there were not enough of them just now.
NEWEST = 32
WRONG = Judged(accepted=False)

T = TypeVar("T", SendAnswer, CheckAnswer, State | NotJudged)

_dice = random.SystemRandom()


class Call(msgspec.Struct):
    """One call. `started` is of a monotonic clock; `seconds` is None while it is out; `outcome` is never accepted.

    One that was broken off on our side has ended without an outcome, and nothing is learnt from it.
    """

    started: float
    seconds: float | None = None
    outcome: CheckAnswer | None = None
    ended: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    @property
    def failed(self) -> bool:
        """Whether a caller whose code met this would be told to try again."""
        return isinstance(self.outcome, NotJudged | InDoubt)


class Timings:
    """The newest calls of each kind: those made for somebody, and those asked only to see how it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty."""
        self.clock = clock
        self._real: dict[Kind, deque[Call]] = {kind: deque(maxlen=KEPT) for kind in KINDS}
        self._asked: dict[Kind, deque[Call]] = {kind: deque(maxlen=KEPT) for kind in KINDS}

    def begin(self, kind: Kind, *, asked: bool = False) -> Call:
        """Note that a call begins: others may be made to end as it does."""
        call = Call(self.clock())
        (self._asked if asked else self._real)[kind].append(call)
        return call

    async def follow(self, call: Call, answer: Awaitable[T]) -> T:
        """Wait for the answer to a call that has begun, and note it."""
        given: T | None = None
        try:
            given = await answer
        finally:
            self.end(call, given)
        return given

    def end(self, call: Call, answer: SendAnswer | CheckAnswer | State | None) -> None:
        """Note how it ended: not judged, in doubt, or (whatever else it was) as a wrong code ends.

        None where it was broken off.
        """
        call.seconds = self.clock() - call.started
        call.outcome = answer if answer is None or isinstance(answer, NotJudged | InDoubt) else WRONG
        call.ended.set()

    def record(self, kind: Kind, seconds: float, outcome: CheckAnswer = WRONG, *, asked: bool = False) -> Call:
        """Note a call that took so long and has just ended."""
        call = self.begin(kind, asked=asked)
        call.started -= seconds
        self.end(call, outcome)
        return call

    def draw_present(self, kind: Kind) -> Call | None:
        """One of the real calls begun within the last 2 s; None when they are too few to stand for how it is now.

        Those that are still out are among them: without, the slow ones would be missed more often than the quick.
        """
        since = self.clock() - NOW
        present = [call for call in self._real[kind] if call.started >= since and _tells(call)]
        return _dice.choice(present[-MANY:]) if len(present) >= ENOUGH else None

    def draw_newest(self, kind: Kind) -> Call | None:
        """One of the newest calls, real or asked, each as likely; None when there was none for hours."""
        since = self.clock() - REMEMBERED
        calls = [call for call in (*self._real[kind], *self._asked[kind]) if call.started >= since and _tells(call)]
        calls.sort(key=lambda call: call.started)
        return _dice.choice(calls[-NEWEST:]) if calls else None

    def remember(self, kind: Kind) -> tuple[Sequence[Call], Sequence[Call]]:
        """The newest eight real calls of the last hours that have ended, and what was asked since they began."""
        since = self.clock() - REMEMBERED
        real = [call for call in self._real[kind] if call.started >= since and call.outcome is not None][-ENOUGH:]
        if not real:
            return [], []
        return real, [call for call in self._asked[kind] if call.started >= real[0].started and call.outcome]


class Timed:
    """A provider that answers as the one inside, and whose calls are kept in `timings`."""

    def __init__(self, provider: Provider, timings: Timings) -> None:
        """Wrap a provider."""
        self.name = provider.name
        self.real = provider.real
        self._provider = provider
        self._timings = timings

    async def send(self, order: Order) -> SendAnswer:
        """As the provider."""
        return await self._timings.follow(self._timings.begin("send"), self._provider.send(order))

    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """As the provider."""
        return await self._timings.follow(self._timings.begin("check"), self._provider.check(provider_id, code))

    async def state(self, provider_id: str) -> State | NotJudged:
        """As the provider."""
        return await self._timings.follow(self._timings.begin("state"), self._provider.state(provider_id))

    async def look_up(self, phone_number: str) -> list[Found] | NotJudged:
        """As the provider."""
        return await self._provider.look_up(phone_number)

    async def aclose(self) -> None:
        """As the provider."""
        await self._provider.aclose()


def _tells(call: Call) -> bool:
    return call.seconds is None or call.outcome is not None
