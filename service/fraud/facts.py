"""What is known about one send before it is decided. The only part of fraud that may do I/O.

Called by fraud.decision. Gathers; judges nothing.
"""

from __future__ import annotations

import msgspec

from service import phone
from service.providers.base import Channel


class Facts(msgspec.Struct, frozen=True):
    """All that a rule may look at."""

    number: phone.Plan
    channel: Channel


def gather(e164: str, channel: Channel) -> Facts:
    """Gather the facts of one send."""
    return Facts(number=phone.describe(e164), channel=channel)
