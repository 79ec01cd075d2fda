"""A device event in the one form that all rules read, the ways a look-up can end, and what an id tells by itself.

Used by fraud.gathering.device_events, fraud.facts and the rules; filled by providers.fingerprint.v4_body and
providers.fingerprint.v3_body. Pure. A missing verdict must never be taken for a clean one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import msgspec

FRESH_FOR = 120.0
"""Seconds after which an event is stale, unless the caller says otherwise."""

SKEW = 60.0
"""Seconds that Fingerprint's clock may be ahead of ours. Beyond that every device is suppressed."""

Bot = Literal["not_detected", "good", "bad"]

# The vendor promises nothing about the second part. Nothing that could change the path it becomes part of may pass.
_ID = re.compile(r"([0-9]{13})\.[A-Za-z0-9]{1,32}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DeviceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, whichever way it came. None: nothing was computed, which is not a clean verdict.

    `event_id` is Fingerprint's own, so that two spellings of an id are one event.
    `complete` is False if no verdicts were computed; all of them are None then. `confidence`: 0 to 1.
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
