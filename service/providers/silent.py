"""The provider of decoys and suppressed sends: as slow as the real one has just been, and nothing leaves.

Called by verification.flow in place of the real provider. What it answers to a check is never accepted; it must
never be given away by its time, nor hold any state of a verification.
"""

from __future__ import annotations

import asyncio
import random
import uuid

from service.providers.base import CheckAnswer, Found, Judged, NotJudged, Order, Provider, SendAnswer, Sent, State
from service.providers.timings import WRONG, Kind, Timing, Timings

# Seconds, for a process that has no real provider to ask.
_DEFAULT_SPREAD = (0.08, 0.35)

_dice = random.SystemRandom()


class Silent:
    """Implements `Provider`. `real` is asked something harmless when no real call is fresh enough to imitate."""

    name = "silent"

    def __init__(self, timings: Timings, real: Provider | None = None) -> None:
        """Share the timings of the real provider, which stays the caller's to close."""
        self._timings = timings
        self._real = real
        self._samples: dict[Kind, asyncio.Task[Timing]] = {}

    async def send(self, order: Order) -> SendAnswer:  # noqa: ARG002  nobody is told whom it is for
        """Take as long as a real send, and be taken."""
        await self._imitate("send")
        return Sent(str(uuid.uuid4()))

    async def check(self, provider_id: str, code: str) -> CheckAnswer:  # noqa: ARG002
        """Take as long as a real check and end as it did: wrong, not judged or in doubt."""
        return await self._imitate("check")

    async def state(self, provider_id: str) -> State | NotJudged:  # noqa: ARG002
        """Settle what `check` left in doubt, as long after as for a real one."""
        outcome = await self._imitate("state")
        return outcome if isinstance(outcome, NotJudged) else State(accepted=False)

    async def look_up(self, phone_number: str) -> list[Found] | NotJudged:  # noqa: ARG002
        """Nothing is ever found."""
        await self._imitate("state")
        return []

    async def aclose(self) -> None:
        """End the harmless calls that are still out."""
        for task in self._samples.values():
            task.cancel()
        await asyncio.gather(*self._samples.values(), return_exceptions=True)

    async def _imitate(self, kind: Kind) -> CheckAnswer:
        started = self._timings.clock()
        timing = self._timings.draw(kind) or await self._take_sample(kind)
        await asyncio.sleep(max(0.0, timing.seconds - (self._timings.clock() - started)))
        return timing.outcome

    async def _take_sample(self, kind: Kind) -> Timing:
        """One harmless call for all who wait for it: a flood of decoys must not become a flood of calls."""
        if self._real is None:
            return Timing(self._timings.clock(), _dice.uniform(*_DEFAULT_SPREAD), WRONG)
        task = self._samples.get(kind)
        if task is None:
            task = self._samples[kind] = asyncio.create_task(self._ask(self._real, kind))
            task.add_done_callback(lambda _: self._samples.pop(kind, None))
        return await asyncio.shield(task)

    async def _ask(self, real: Provider, kind: Kind) -> Timing:
        started = self._timings.clock()
        answer = await real.state(str(uuid.uuid4()))
        outcome: CheckAnswer = answer if isinstance(answer, NotJudged) else Judged(accepted=False)
        return self._timings.record(kind, self._timings.clock() - started, outcome)
