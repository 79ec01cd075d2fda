"""A device event in the one form that every rule reads, the ways a look-up can end, and what an id tells by itself.

Used by fraud.facts and fraud.rules.catalogue; filled by fingerprint and providers.fingerprint.sealed. Pure. A verdict
that is not there must never be read as a clean one.
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

# The vendor promises nothing of the second part. Nothing that could leave its place in a path may pass.
_ID = re.compile(r"([0-9]{13})\.[A-Za-z0-9]{1,32}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DeviceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, whichever way it came. None: nothing was computed, which is not a clean verdict.

    `event_id` is the one that Fingerprint wrote down, so that two spellings of an id are one event.
    `complete` is False where no verdict was computed; all of them are None then. `confidence`: 0 to 1.
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


class Found(msgspec.Struct, frozen=True, tag=True):
    """The event is real and fresh."""

    event: DeviceEvent


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """Fingerprint never made it, or made it unreadable on its sender's behalf: forged."""

    code: str


class Malformed(msgspec.Struct, frozen=True, tag=True):
    """Not an id, not a sealed result, or one from the future: nobody was asked."""


class Stale(msgspec.Struct, frozen=True, tag=True):
    """Too old to say anything of who is there now."""


class Quota(msgspec.Struct, frozen=True, tag=True):
    """Fingerprint had no call left for us until the deadline. `after`: seconds that it named last."""

    after: float = 1.0


class Down(msgspec.Struct, frozen=True, tag=True):
    """Fingerprint gave no answer that could be used, in time."""

    code: str


class AccountProblem(msgspec.Struct, frozen=True, tag=True):
    """Our key, region, plan or address: no event can be looked up until somebody mends it. Ring the alarm."""

    code: str


Answer = Found | Unknown | Malformed | Stale | Quota | Down | AccountProblem


class Devices(Protocol):
    """Where events are looked up by their id."""

    async def read(self, event_id: str, *, now: datetime, deadline: float, fresh_for: float = FRESH_FOR) -> Answer:
        """Look one event up, by `deadline` on the monotonic clock in seconds. Raises nothing but cancellation."""

    async def aclose(self) -> None:
        """Give the connections back."""


class SealedEvents(Protocol):
    """What opens the events that browsers carry here themselves."""

    def read(self, sealed: str, *, now: datetime, fresh_for: float = FRESH_FOR) -> Answer:
        """Open one. Raises nothing for what a stranger sent."""


def judge_id(event_id: str, now: datetime, fresh_for: float = FRESH_FOR) -> Malformed | Stale | None:
    """What the id alone speaks against the event; None: worth a call. `now` is aware."""
    made_at = read_time(event_id)
    return Malformed() if made_at is None else judge_time(made_at, now, fresh_for)


def judge_time(made_at: datetime, now: datetime, fresh_for: float = FRESH_FOR) -> Malformed | Stale | None:
    """What an event's time speaks against it."""
    age = (now - made_at).total_seconds()
    if age < -SKEW:
        return Malformed()
    return Stale() if age > fresh_for else None


def read_time(event_id: str) -> datetime | None:
    """When the event was made, as its id says, in UTC; None when it is not an id."""
    match = _ID.fullmatch(event_id)
    return _EPOCH + timedelta(milliseconds=int(match[1])) if match else None
