"""The provider of decoys and suppressed sends: as slow, and as often unable to judge, as the real one is now.

Used by verification in place of the real provider. It never accepts a code; its times must never give it away, and it
holds no state of any verification.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable

import msgspec
from typing_extensions import override

from service.providers.verify.decoy_calls import Allowance, choose
from service.providers.verify.protocol import (
    CheckAnswer,
    ListedVerification,
    NotCompared,
    Order,
    Provider,
    SendAnswer,
    Sent,
    State,
)
from service.providers.verify.timings import WRONG, CallKind, TimedCall, Timings

# Seconds, for a process without a real provider to ask.
_DEFAULT_SPREAD = (0.08, 0.35)

_dice = random.SystemRandom()


class DecoyProvider(Provider):
    """Each call copies a real one separately: two at once may end as differently as real ones.

    It copies a real call begun within the last seconds, if there are enough. Else it asks `real` about the id that
    `ended` returns: an ended verification of ours, which no check harms and which Telnyx treats as it treats ids that
    it knows. If there is none, it asks about an id that does not exist.
    """

    name = "silent"
    real = False

    def __init__(
        self, timings: Timings, real: Provider | None = None, ended: Callable[[], str | None] = lambda: None
    ) -> None:
        """Share the timings of the real provider, which the caller closes."""
        self._timings = timings
        self._real = real
        self._ended = ended
        self._allowance = Allowance(timings.clock)

    @override
    async def send(self, order: Order) -> SendAnswer:
        """Take as long as a real send, and report it as sent."""
        await self._end_as(self._timings.draw_newest("send"), self._timings.clock())
        return Sent(str(uuid.uuid4()))

    @override
    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """Take as long as a real check and end as it did: wrong, not compared or in doubt."""
        return await self._imitate("check")

    @override
    async def state(self, provider_id: str) -> State | NotCompared:
        """Settle what `check` left in doubt, taking as long as for a real one."""
        outcome = await self._imitate("state")
        return outcome if isinstance(outcome, NotCompared) else State(accepted=False)

    @override
    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
        """Take as long as a real look-up, and find nothing."""
        await self._imitate("state")
        return []

    @override
    async def aclose(self) -> None:
        """Do nothing: each ask ends with the call that waits for it."""

    async def _imitate(self, kind: CallKind) -> CheckAnswer:
        began = self._timings.clock()
        call = self._timings.draw_present(kind)
        if call is None and self._real is not None:
            call = await self._ask(self._real, kind) if self._allowance.take() else self._timings.draw_newest(kind)
        return await self._end_as(call, began)

    async def _end_as(self, call: TimedCall | None, began: float) -> CheckAnswer:
        """End as a call did, after as long as it took; wait for its end if it is still under way."""
        if call is not None:
            await call.ended.wait()
        seconds = call.seconds if call and call.seconds is not None else _dice.uniform(*_DEFAULT_SPREAD)
        await asyncio.sleep(max(0.0, seconds - (self._timings.clock() - began)))
        return _age(call.outcome, call.started + seconds, self._timings.clock()) if call and call.outcome else WRONG

    async def _ask(self, real: Provider, kind: CallKind) -> TimedCall:
        """Ask what costs nobody a guess: a check for a check, so that it fails as real checks do."""
        ended = self._ended()
        target = ended or str(uuid.uuid4())
        call = self._timings.begin(kind, asked=True)
        try:
            if kind == "check":
                await self._timings.follow(call, real.check(target, f"{_dice.randrange(10**6):06}"))
            else:
                await self._timings.follow(call, real.state(target))
        finally:
            self._allowance.give_back()
        return choose(call, *self._timings.remember(kind), known=ended is not None)


def _age(outcome: CheckAnswer, ended: float, now: float) -> CheckAnswer:
    """Shorten a wait that the provider named by the time that has passed since."""
    if not isinstance(outcome, NotCompared) or outcome.after is None:
        return outcome
    return msgspec.structs.replace(outcome, after=max(0.0, outcome.after - max(0.0, now - ended)))
