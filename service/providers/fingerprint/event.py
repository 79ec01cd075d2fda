"""A device event in the one form that all rules read, the ways a look-up can end, and what an id tells by itself.

Used by fraud.gathering.device_events, fraud.facts and the rules; filled by providers.fingerprint.v4_body and
providers.fingerprint.v3_body. Pure. A missing verdict must never be taken for a clean one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import msgspec

FRESH_FOR = 600.0
"""Seconds after which an event is stale, unless the caller says otherwise."""

SKEW = 60.0
"""Seconds that Fingerprint's clock may be ahead of ours. Beyond that every device is suppressed."""

Bot = Literal["not_detected", "good", "bad"]
Platform = Literal["browser", "android", "ios"]
EventSource = Literal["device", "edge"]
DeviceSignal = Literal[
    "bot", "suspect_score", "confidence", "tampering", "tor", "vpn", "proxy", "hosting", "virtual_machine"
]
"""What an event can tell of its device: each a field of the event, and a rule of the same name."""

_OF_BROWSERS = frozenset({"bot", "virtual_machine"})
# What Fingerprint computes from a request that was intercepted at the edge, where no script ran.
OF_EDGE = frozenset({"vpn", "proxy", "hosting"})

# The vendor promises nothing about the second part. Nothing that could change the path it becomes part of may pass.
_ID = re.compile(r"([0-9]{13})\.[A-Za-z0-9]{1,32}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DeviceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, whichever way it came. None: nothing was computed, which is not a clean verdict.

    `event_id` is Fingerprint's own, so that two spellings of an id are one event.
    `complete` is False if no verdicts were computed; all of them are None then. `partial`: Fingerprint says that it has
    not computed them yet. `confidence`: 0 to 1.
    `agent`: the category of a known automation, such as ai_agent. `hosting`: the address is a data center's.
    `networks`: every address and network that Fingerprint names for it; `relay`: these are a relay's; `countries`: in
    which they are, in ISO 3166 alpha-2. `failed`: what
    Fingerprint meant to compute and could not. `unfamiliar`: fields with a value that this version does not know, which
    counts as none.
    """

    event_id: str
    observed_at: datetime
    complete: bool
    visitor_id: str | None
    confidence: float | None
    replayed: bool | None
    ip_address: str | None
    linked_id: str | None
    bot: Bot | None
    suspect_score: float | None
    tampering: bool | None
    vpn: bool | None
    proxy: bool | None
    tor: bool | None
    virtual_machine: bool | None
    incognito: bool | None
    # Since 0.2.0. Decisions of 0.1.0 lack these, and its processes ignore them: each needs a default.
    hosting: bool | None = None
    agent: str | None = None
    platform: Platform = "browser"
    source: EventSource = "device"
    networks: tuple[str, ...] = ()
    relay: bool | None = None
    partial: bool = False
    failed: tuple[DeviceSignal, ...] = ()
    unfamiliar: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()

    def can_carry(self, signal: DeviceSignal) -> bool:
        """Return whether Fingerprint computes a signal for events of this kind at all, on any plan."""
        if self.source == "edge":
            return signal in OF_EDGE
        return self.platform == "browser" or signal not in _OF_BROWSERS

    def lacks(self, signal: DeviceSignal) -> bool:
        """Return whether a signal is missing that the event could carry and whose computing did not fail."""
        return getattr(self, signal) is None and self.can_carry(signal) and signal not in self.failed


class EventFound(msgspec.Struct, frozen=True, tag=True):
    """The event is real and fresh."""

    event: DeviceEvent


class EventUnknown(msgspec.Struct, frozen=True, tag=True):
    """Forged: Fingerprint never made it, or its sender made it unreadable."""

    code: str


class EventMalformed(msgspec.Struct, frozen=True, tag=True):
    """Not an id, not a sealed result, or from the future: Fingerprint was not asked."""


class EventStale(msgspec.Struct, frozen=True, tag=True):
    """Too old to say who is there now."""


class QuotaSpent(msgspec.Struct, frozen=True, tag=True):
    """The quota was spent until the deadline. `after`: seconds that Fingerprint named last."""

    after: float = 1.0


class EventUnavailable(msgspec.Struct, frozen=True, tag=True):
    """Fingerprint gave no usable answer in time."""

    code: str


class FingerprintAccountProblem(msgspec.Struct, frozen=True, tag=True):
    """Our key, region, plan or address is wrong: no event can be looked up until that is corrected. An alert rings."""

    code: str


EventAnswer = (
    EventFound | EventUnknown | EventMalformed | EventStale | QuotaSpent | EventUnavailable | FingerprintAccountProblem
)


class Devices(Protocol):
    """Looks events up by their ids."""

    async def read(self, event_id: str, *, now: datetime, deadline: float, fresh_for: float = FRESH_FOR) -> EventAnswer:
        """Look one event up, by `deadline` on the monotonic clock in seconds. Raises nothing but cancellation."""

    async def aclose(self) -> None: ...


class SealedEvents(Protocol):
    """What opens the events that browsers carry here themselves."""

    def read(self, sealed: str, *, now: datetime, fresh_for: float = FRESH_FOR) -> EventAnswer:
        """Open one. Raises nothing for what a stranger sent."""


def check_id(event_id: str, now: datetime, fresh_for: float = FRESH_FOR) -> EventMalformed | EventStale | None:
    """Return what the id alone tells against the event; None if it is worth a call. `now` is timezone-aware."""
    made_at = read_time(event_id)
    return EventMalformed() if made_at is None else check_time(made_at, now, fresh_for)


def check_time(made_at: datetime, now: datetime, fresh_for: float = FRESH_FOR) -> EventMalformed | EventStale | None:
    """Return what an event's time tells against it, if anything."""
    age = (now - made_at).total_seconds()
    if age < -SKEW:
        return EventMalformed()
    return EventStale() if age > fresh_for else None


def read_time(event_id: str) -> datetime | None:
    """Return when the event was made by its id, in UTC; None if it is not an id."""
    match = _ID.fullmatch(event_id)
    return _EPOCH + timedelta(milliseconds=int(match[1])) if match else None
