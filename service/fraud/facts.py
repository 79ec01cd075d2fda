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
VERDICTS = "verdicts"
"""The name, among signals, of a device event's verdicts as a whole."""

DeviceState = Literal["none", "found", "malformed", "stale", "unknown", "unasked", "unread"]
CaptchaState = Literal["none", "passed", "failed", "unread"]


class DeviceFacts(msgspec.Struct, frozen=True):
    """The device event of a request, and how the look-up ended. `unread`: it was unavailable.

    It is that also beside an event, where Fingerprint failed to compute what a rule enforces. `absent`: signals that
    this client's events never carry.

    `unasked`: Fingerprint was not asked, because the address had brought too many unknown ids.

    `event` is without what names a person; whether its place and account are the request's is kept beside it.
    """

    state: DeviceState
    event: DeviceEvent | None = None
    bound: bool | None = None
    age: float | None = None
    same_place: bool = True
    same_account: bool = True
    absent: tuple[str, ...] = ()


class UnconvertedCodes(msgspec.Struct, frozen=True):
    """How many codes went to the number for other requests and were not entered, if it has been verified.

    Of a day, and since the last that was entered: a known source's own, or all of them.
    """

    of_a_day: int = 0
    in_a_row: int = 0


class Facts(msgspec.Struct, frozen=True):
    """One send's facts. `captcha` is `unread` if the provider was unavailable; `captcha_told`: why it is `failed`.

    `line`: the number's line type, if Telnyx was asked.
    """

    number: phone.NumberPlan
    channel: Channel
    device: DeviceFacts
    histories: dict[str, History]
    captcha: CaptchaState = "none"
    line: phone.NumberKind | None = None
    captcha_told: str | None = None
    codes: UnconvertedCodes = UnconvertedCodes()

    @property
    def kind(self) -> phone.NumberKind:
        """The number's kind: by the look-up if there is one, else by the numbering plan."""
        return self.number.kind if self.line in (None, "unknown") else self.line


def same_place(event: DeviceEvent, request: str | None) -> bool:
    """Return whether an event and a request may come from one place: networks that are one, or nothing to compare.

    A carrier or a company has several exits, and the page and its backend may be reached through different ones: so by
    the network around the address, and by the one that Fingerprint says is its provider's.
    """
    address = addresses.read(request) if request is not None and not event.relay else None
    if address is None:
        return True
    told = (event.ip_address, *event.networks)
    near = [is_near for one in told if one is not None and (is_near := addresses.is_near(address, one)) is not None]
    return not near or any(near)
