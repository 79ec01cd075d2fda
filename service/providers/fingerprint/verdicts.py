"""Turns a Fingerprint event of either API into the one form of providers.fingerprint.event.

Called by providers.fingerprint.v4_body and providers.fingerprint.v3_body. Pure. A field of the wrong type costs that
field, never the event; a text that a page's visitor can write must reach neither a comparison nor the database
unchecked.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from service import addresses
from service.providers.fingerprint.event import Bot, DeviceEvent, read_time

_BOTS: dict[str, Bot] = {"not_detected": "not_detected", "notDetected": "not_detected", "good": "good", "bad": "bad"}
# Fingerprint's text for no visitor: strangers must not share a limit under it.
_NOBODY = frozenset({"", "n/a"})
_LONGEST_TEXT = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """The smart signals as they came, None for a missing one."""

    bot: Any
    suspect_score: Any
    tampering: Any
    vpn: Any
    proxy: Any
    tor: Any
    virtual_machine: Any
    incognito: Any


NO_VERDICTS = Verdicts(**dict.fromkeys(Verdicts.__struct_fields__))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The rest of an event as it came. `timestamp`: unix milliseconds."""

    event_id: Any
    timestamp: Any
    visitor_id: Any
    confidence: Any
    replayed: Any
    ip_address: Any
    linked_id: Any


def compose(seen: Seen, verdicts: Verdicts, asked: str | None) -> DeviceEvent | None:
    """Make the event; `asked` is its id if it does not name itself. None if it has no id or no time."""
    event_id = _read_text(seen.event_id) or asked
    at = event_id and (_read_moment(seen.timestamp) or read_time(event_id))
    if not event_id or not at:
        return None
    return DeviceEvent(
        event_id=event_id,
        observed_at=at,
        complete=verdicts != NO_VERDICTS,
        visitor_id=_read_visitor(seen.visitor_id),
        confidence=_read_number(seen.confidence),
        replayed=_read_flag(seen.replayed),
        ip_address=_read_address(seen.ip_address),
        linked_id=_read_text(seen.linked_id),
        bot=_BOTS.get(verdicts.bot) if isinstance(verdicts.bot, str) else None,
        suspect_score=_read_number(verdicts.suspect_score),
        tampering=_read_flag(verdicts.tampering),
        vpn=_read_flag(verdicts.vpn),
        proxy=_read_flag(verdicts.proxy),
        tor=_read_flag(verdicts.tor),
        virtual_machine=_read_flag(verdicts.virtual_machine),
        incognito=_read_flag(verdicts.incognito),
    )


def _read_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _read_text(value: object) -> str | None:
    """Return a text that PostgreSQL accepts: NUL and lone surrogates are replaced, so that it equals no real text."""
    if not isinstance(value, str):
        return None
    if value.isalnum() and len(value) <= _LONGEST_TEXT:
        return value
    return value[:_LONGEST_TEXT].replace("\0", "\ufffd").encode(errors="replace").decode()


def _read_visitor(value: object) -> str | None:
    text = _read_text(value)
    return None if text in _NOBODY else text


def _read_address(value: object) -> str | None:
    """Return an address in its canonical spelling; an IPv4-mapped one as IPv4."""
    address = addresses.read(value) if isinstance(value, str) else None
    return None if address is None else str(address)


def _read_moment(value: object) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        return None
