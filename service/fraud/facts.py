"""What is known about one send before it is decided: all that a rule may look at, and nothing else.

Filled by fraud.judge, stored whole with the decision, read by fraud.rules.catalogue. Values only.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from service import addresses, phone
from service.channels import Channel
from service.fraud.histories.history import History
from service.providers.fingerprint.event import DeviceEvent

DeviceState = Literal["none", "found", "malformed", "stale", "unknown", "unasked", "unread"]
CaptchaState = Literal["none", "passed", "failed", "unread"]


class Device(msgspec.Struct, frozen=True):
    """The device event of a request, and how the look-up ended. `unread`: Fingerprint could not be asked.

    `unasked`: nor was it, for an address that had brought too many ids that it does not know.

    `event` without what names a person: whether its place and account are the request's stands beside it.
    """

    state: DeviceState
    event: DeviceEvent | None = None
    bound: bool | None = None
    age: float | None = None
    same_place: bool = True
    same_account: bool = True


class Facts(msgspec.Struct, frozen=True):
    """One send's facts. `captcha` is `unread` where the provider could not be asked.

    `line`: what Telnyx's look-up says of the number, where one was made.
    """

    number: phone.Plan
    channel: Channel
    device: Device
    histories: dict[str, History]
    captcha: CaptchaState = "none"
    line: phone.Kind | None = None

    @property
    def kind(self) -> phone.Kind:
        """The number's kind: the look-up's word where it has one, else the numbering plan's."""
        return self.number.kind if self.line in (None, "unknown") else self.line


def same_place(event: str | None, request: str | None) -> bool:
    """Say whether two addresses may be one user's: equal (IPv6 by /64), or not to be compared."""
    if event is None or request is None:
        return True
    one, other = addresses.read(event), addresses.read(request)
    if one is None or other is None:
        return False
    return one.version != other.version or addresses.network_of(str(one)) == addresses.network_of(str(other))
