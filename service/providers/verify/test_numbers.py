"""Numbers that always behave in a fixed way: the one table of the sandbox's Telnyx and of `TestProvider`.

Read by sandbox and providers.verify.testing. All of them are in ranges reserved for fiction
(NANP 555-0100 to 555-0199); no number that anybody could own may ever be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from service.channels import Channel

FIXED_CODE = "123456"
"""The code that every one of these numbers receives, where it receives any."""

SLOW_ANSWER = 3.0
"""Seconds until the provider answers a send to a slow number: within a send's 8 s, longer than a person waits."""

TestOutcome = Literal["delivered", "unreported", "undelivered", "slow", "refused"]


class ScriptedNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One number, how a send to it ends (`but`: on some channels), and whether its code is ever accepted."""

    phone_number: str
    meaning: str
    sent: TestOutcome = "delivered"
    but: Mapping[Channel, TestOutcome] = {}
    code_accepted: bool = True
    line_type: Literal["mobile", "fixed line", "voip"] = "mobile"

    def outcome(self, channel: Channel) -> TestOutcome:
        """Return how a send on this channel ends."""
        return self.but.get(channel, self.sent)


def _everywhere(phone_number: str, outcome: TestOutcome, meaning: str) -> ScriptedNumber:
    return ScriptedNumber(phone_number=phone_number, meaning=meaning, sent=outcome)


NUMBERS: tuple[ScriptedNumber, ...] = (
    _everywhere("+14155550100", "delivered", "Delivered at once; the code is right."),
    _everywhere("+14155550101", "undelivered", "Accepted, then reported as not delivered, on every channel."),
    _everywhere("+14155550102", "refused", "Refused on every channel."),
    _everywhere("+14155550103", "slow", "Accepted after 3 seconds and delivered late; the code is right."),
    ScriptedNumber(
        phone_number="+14155550104",
        meaning="Delivered at once; no code is ever right.",
        code_accepted=False,
    ),
    ScriptedNumber(
        phone_number="+14155550105",
        meaning="A landline, also by number look-up: refuses everything but calls.",
        sent="refused",
        but={"call": "delivered"},
        line_type="fixed line",
    ),
    ScriptedNumber(
        phone_number="+14155550106",
        meaning="Messages (sms, WhatsApp) are reported as not delivered; a call gets through.",
        but={"sms": "undelivered", "whatsapp": "undelivered"},
    ),
    _everywhere("+14155550107", "unreported", "Delivered, but no delivery is ever reported; the code is right."),
    ScriptedNumber(
        phone_number="+14155550108",
        meaning="Delivered at once; a VoIP line by its carrier's record.",
        line_type="voip",
    ),
)

_BY_NUMBER = {number.phone_number: number for number in NUMBERS}


def find_number(phone_number: str) -> ScriptedNumber | None:
    """Return the entry of a number in E.164, or None for all others."""
    return _BY_NUMBER.get(phone_number)


def find_outcome(phone_number: str, channel: Channel) -> TestOutcome:
    """Return how a send ends; a number that is not in the table is delivered."""
    number = _BY_NUMBER.get(phone_number)
    return "delivered" if number is None else number.outcome(channel)
