"""How often decoys may ask a provider, and which call they copy then.

Used by providers.verify.decoy. One decoy's answer must never be used for another that could have asked for itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from service.providers.verify.timings import TimedCall

# Asks a second, at once, and under way at a time. Beyond these, a flood of decoys draws from what was asked.
A_SECOND = 10.0
AT_ONCE = 20
MOST_OUT = 32
# One real call tells nothing of the next, and one or two asks can fail by chance.
LEAST_REAL, LEAST_FAILED = 2, 3
# A difference in time below this (seconds) does not show that Telnyx treats two ids differently.
SAME_TIME = 0.1

_dice = random.SystemRandom()


class Allowance:
    """Limits asks, so that a flood of decoys does not become a flood of calls."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(AT_ONCE)
        self._counted_at = clock()
        self._out = 0

    def take(self) -> bool:
        """Take one ask, to be given back once it is answered; False if none is left."""
        now = self._clock()
        self._left = min(self._left + (now - self._counted_at) * A_SECOND, AT_ONCE)
        self._counted_at = now
        if self._left < 1 or self._out >= MOST_OUT:
            return False
        self._left -= 1
        self._out += 1
        return True

    def give_back(self) -> None:
        self._out -= 1


def choose(asked: TimedCall, real: Sequence[TimedCall], asks: Sequence[TimedCall], *, known: bool) -> TimedCall:
    """Return the call to copy: the one asked, unless real calls show that Telnyx treats the asked id differently.

    `real`: the newest ones; `asks`: all since the first of those; `known`: whether a verification of ours was asked
    about, or an id that does not exist.

    It treats it differently if a real call went worse than every ask (ids that Telnyx knows are slow or fail, unknown
    ones are not), or if all asks failed while the real ones were compared. For a verification of ours several calls
    have to show this, because a difference is usually chance; for an id that does not exist the first is enough.
    """
    if not asks or len(real) < LEAST_REAL:
        return asked
    drawn = _dice.choice(real)
    most_asks, most_worse = (8, 3) if known else (1, 1)
    worse = [call for call in real if all(_is_worse(call, ask) for ask in asks)]
    if len(asks) >= most_asks and len(worse) >= most_worse and drawn in worse:
        return drawn
    later = [call for call in real if call.started > asks[0].started]
    in_vain = min(len(asks), len(later)) >= LEAST_FAILED and all(call.failed for call in asks)
    return drawn if in_vain and not any(call.failed for call in real) else asked


def _is_worse(call: TimedCall, ask: TimedCall) -> bool:
    if call.failed != ask.failed:
        return call.failed
    return (call.seconds or 0.0) > (ask.seconds or 0.0) + SAME_TIME
