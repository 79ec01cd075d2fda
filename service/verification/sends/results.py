"""Turns a provider's answer to a send into what is recorded: the only place that tells the kinds of answer apart.

Called by verification.sends.dispatch. Pure, except that it draws the jitter of a back-off.
"""

from __future__ import annotations

import random

import msgspec

from service.providers.verify.protocol import AccountProblem, Delivery, InDoubt, Refused, SendAnswer, Sent, TryAgain
from service.verification.states import SendState

# Seconds before the second try, and at most between two.
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0

_dice = random.SystemRandom()


class SendResult(msgspec.Struct, frozen=True):
    """What is recorded of a send. `wait`: seconds until the next try, for state 'due'."""

    state: SendState
    wait: float = 0.0
    provider_id: str | None = None
    error: str | None = None
    delivery: Delivery | None = None


def result_of(answer: SendAnswer, attempts: int, pause: float) -> SendResult:
    """Return what is recorded. `attempts`: tries before this one; `pause`: seconds for which nothing is sent at all."""
    match answer:
        case Sent(provider_id, delivery):
            return SendResult("sent", provider_id=provider_id, delivery=delivery)
        case Refused(code):
            # The end of this channel: what Telnyx refuses by the number, it refuses again, and the next one should not
            # wait.
            return SendResult("refused", error=code)
        # Never due again: the code may have gone out, and the phone would get a second one that makes the first one
        # wrong.
        case InDoubt(code):
            return SendResult("in_doubt", error=code)
        # The longest of the three: a reset of 0 s alone would have the send repeated without a pause.
        case TryAgain(code, after):
            return SendResult("due", wait=max(after or 0.0, pause, back_off(attempts)), error=code)
        # Not refused, which would be the end of this channel: the fault is ours, and the same send works once it is
        # mended.
        case AccountProblem(code):
            return SendResult("due", wait=max(pause, back_off(attempts)), error=code)


def back_off(attempts: int) -> float:
    """Return how long to wait after so many tries: doubling, with jitter so that sends do not come in step."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2**attempts) * _dice.uniform(0.8, 1.2))
