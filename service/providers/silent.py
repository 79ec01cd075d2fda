"""The provider of decoys and suppressed sends: as slow, and as often unable to judge, as the real one is now.

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
    """Implements `Provider`. `real` is asked something harmless where too few calls are fresh enough to imitate.

    So an outage, its end and its odds are the same for a decoy from the first moment on, and a caller who tries
    again and again meets no copy of one answer.
    """

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
        drawn = self._timings.draw(kind) if kind == "send" else self._timings.draw_present(kind)
        timing = drawn or await self._take_sample(kind)
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
        """Ask about a verification that nobody has: a check for a check, so that it fails as checks do."""
        started = self._timings.clock()
        nobody, code = str(uuid.uuid4()), f"{_dice.randrange(10**6):06}"
        answer = await (real.check(nobody, code) if kind == "check" else real.state(nobody))
        ended = self._timings.clock()
        return Timing(ended, ended - started, WRONG if isinstance(answer, Judged | State) else answer)
