"""Every sort of verification that sends nothing, beside a real one: what must be told apart by nobody.

Used by the tests of silence. Telnyx is told to refuse Canada.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from service.sandbox.telnyx.profiles import ChannelSettings, FlashcallSettings, ProfileChange
from service.sandbox.telnyx.service import PROFILE_ID
from tests.conftest import command
from tests.support.gateway import PHONE, Gateway, Reply

Test = Callable[..., Awaitable[None]]
HOME = ChannelSettings(whitelisted_destinations=["US"])
FLASHCALL_HOME = FlashcallSettings(whitelisted_destinations=["US"])
KINDS: dict[str, dict[str, Any]] = {
    "real": {"phone_number": PHONE},
    "deliver: false": {"phone_number": "+13125550145", "deliver": False},
    "country off the list": {"phone_number": "+447400123456"},
    "premium number": {"phone_number": "+19002340001"},
    "refused by Telnyx": {"phone_number": "+14165550146"},
}


def refuse_canada(gateway: Gateway) -> None:
    profile = gateway.telnyx.profiles.find(PROFILE_ID)
    assert profile
    profile.change(ProfileChange(sms=HOME, call=HOME, flashcall=FLASHCALL_HOME))


class Uneven(AssertionError):
    """Answers came on different half seconds."""


def thrice(test: Test) -> Test:
    """Try a test again, three times in all, where its times alone differed.

    A machine stands still for a moment once; a gateway that treats kinds differently does so each time. A decoy draws
    from the times of real calls, so that one slow call of a real one may show in the next of a decoy.
    """

    @functools.wraps(test)
    async def tried(database_url: str, **more: Any) -> None:
        for left in (2, 1, 0):
            try:
                await test(database_url=database_url, **more)
            except Uneven:
                if not left:
                    raise
                await command(database_url, "truncate counters")
            else:
                return

    return tried


async def begin_each(gateway: Gateway) -> dict[str, str]:
    """Request one verification of each kind at once; returns their ids."""
    refuse_canada(gateway)
    begun = await asyncio.gather(*(gateway.begin(**fields) for fields in KINDS.values()))
    return dict(zip(KINDS, begun, strict=True))


async def ask_each(begun: dict[str, str], ask: Callable[[str], Awaitable[Reply]]) -> dict[str, tuple[Reply, float]]:
    """Make one call for each kind at the same time; returns the answers and how many seconds each took."""

    async def time_one(verification: str) -> tuple[Reply, float]:
        began = time.monotonic()
        return await ask(verification), time.monotonic() - began

    answers = await asyncio.gather(*map(time_one, begun.values()))
    return dict(zip(begun, answers, strict=True))


def steps_of(answers: dict[str, tuple[Reply, float]]) -> dict[str, int]:
    """Say on which half second each answer came."""
    return {kind: int(seconds / 0.5) for kind, (_, seconds) in answers.items()}


def assert_alike(answers: dict[str, tuple[Reply, float]], step: int | None = None) -> None:
    """Raise Uneven unless all came on the same half second, and on that one if it is named."""
    steps = steps_of(answers)
    if len(set(steps.values())) != 1 or step not in (None, *steps.values()):
        raise Uneven(steps)
