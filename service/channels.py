"""The channels that a code can go by, declared once, with what the gateway has to know of each.

Read by whatever names a channel: policy, API, rules, tables, sandbox. A leaf: which channels are in use is the
policy's to say, and how a provider calls them its adapter's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

Channel = Literal["sms", "whatsapp", "call", "flashcall"]


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one channel from the others.

    `noun`: what people call one. `opt_in`: nothing goes by it unless `fallback.order` names it. `typed`: the code is
    read and typed; else it is the caller's number. `landline`: the channel that reaches a landline in its place.
    """

    noun: str
    opt_in: bool = False
    typed: bool = True
    landline: Channel | None = None


CHANNELS: Mapping[Channel, Traits] = MappingProxyType(
    {
        "sms": Traits(noun="text message", landline="call"),
        # A landline can have WhatsApp, so nothing goes in its place.
        "whatsapp": Traits(noun="WhatsApp message", opt_in=True),
        "call": Traits(noun="phone call"),
        "flashcall": Traits(noun="flash call", typed=False),
    }
)

# What a request goes by that names none.
DEFAULT: Channel = "sms"
