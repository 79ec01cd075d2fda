"""What is known about one send before it is decided: everything that a rule may look at, and nothing else.

Filled by fraud.judge, stored in full with the decision, read by fraud.rules.request. Values only.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from service import addresses, phone
from service.channels import Channel
from service.fraud.histories.history import History
from service.providers.fingerprint.event import DeviceEvent

# The stored word for a vendor that was unavailable.
UNAVAILABLE: Final = "unread"

DeviceState = Literal["none", "found", "malformed", "stale", "unknown", "unasked", "unread"]
CaptchaState = Literal["none", "passed", "failed", "unread"]


class DeviceFacts(msgspec.Struct, frozen=True):
    """The device event of a request, and how the look-up ended. `unread`: it was unavailable.

    `unasked`: Fingerprint was not asked, because the address had brought too many unknown ids.

    `event` is without what names a person; whether its place and account are the request's is kept beside it.
    """

    state: DeviceState
    event: DeviceEvent | None = None
    bound: bool | None = None
    age: float | None = None
    same_place: bool = True
    same_account: bool = True


class Facts(msgspec.Struct, frozen=True):
    """One send's facts. `captcha` is `unread` if the provider was unavailable.

    `line`: the number's line type, if Telnyx was asked.
    """

    number: phone.NumberPlan
    channel: Channel
    device: DeviceFacts
    histories: dict[str, History]
    captcha: CaptchaState = "none"
    line: phone.NumberKind | None = None

    @property
    def kind(self) -> phone.NumberKind:
        """The number's kind: by the look-up if there is one, else by the numbering plan."""
        return self.number.kind if self.line in (None, "unknown") else self.line


def same_place(event: str | None, request: str | None) -> bool:
    """Return whether two addresses may be one user's: equal (IPv6 by /64), or not comparable."""
    if event is None or request is None:
        return True
    one, other = addresses.read(event), addresses.read(request)
    if one is None or other is None:
        return False
    return one.version != other.version or addresses.network_of(str(one)) == addresses.network_of(str(other))
