"""Turns a Fingerprint event of either API into the one form of providers.fingerprint.event.

Called by providers.fingerprint.v4_body and providers.fingerprint.v3_body. Pure. A field of the wrong type costs that
field, never the event; a text that a page's visitor can write must reach neither a comparison nor the database
unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from service import addresses
from service.phone import is_country
from service.providers.fingerprint.event import (
    OF_EDGE,
    Bot,
    DeviceEvent,
    DeviceSignal,
    EventSource,
    Platform,
    read_time,
)

_BOTS: dict[str, Bot] = {"not_detected": "not_detected", "notDetected": "not_detected", "good": "good", "bad": "bad"}
# Fingerprint's text for no visitor: strangers must not share a limit under it.
_NOBODY = frozenset({"", "n/a"})
_PLATFORMS: dict[str, Platform] = {"js": "browser", "unknown": "browser", "android": "android", "ios": "ios"}
_SOURCES: dict[str, EventSource] = {"device": "device", "edge": "edge"}
_CATEGORY = re.compile(r"[a-z_]{1,40}")
_LONGEST_TEXT = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """The smart signals as they came, None for a missing one."""

    bot: Any
    suspect_score: Any
    tampering: Any
    vpn: Any
    proxy: Any
    tor: Any
    hosting: Any
    virtual_machine: Any
    incognito: Any


NO_VERDICTS = Verdicts(**dict.fromkeys(Verdicts.__struct_fields__))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The rest of an event as it came. `timestamp`: unix milliseconds; `agent`: what is told of a known automation."""

    event_id: Any
    timestamp: Any
    visitor_id: Any
    confidence: Any
    replayed: Any
    ip_address: Any
    linked_id: Any
    platform: Any = None
    source: Any = None
    agent: Any = None
    relay: Any = None
    partial: bool = False
    networks: tuple[Any, ...] = ()
    countries: tuple[Any, ...] = ()
    failed: tuple[DeviceSignal, ...] = ()


def compose(seen: Seen, verdicts: Verdicts, asked: str | None) -> DeviceEvent | None:
    """Make the event; `asked` is its id if it does not name itself. None if it has no id or no time.

    An edge event is always complete: where it names no automation, none was recognised.
    """
    event_id = _read_text(seen.event_id) or asked
    at = event_id and (_read_moment(seen.timestamp) or read_time(event_id))
    if not event_id or not at:
        return None
    source = _find(_SOURCES, seen.source) or "device"
    if source == "edge":
        verdicts = Verdicts(
            **{name: getattr(verdicts, name) if name in OF_EDGE else None for name in Verdicts.__struct_fields__}
        )
    of_address = msgspec.structs.replace(NO_VERDICTS, hosting=verdicts.hosting)
    event = DeviceEvent(
        event_id=event_id,
        observed_at=at,
        complete=verdicts not in (NO_VERDICTS, of_address) or source == "edge" or bool(seen.failed),
        visitor_id=_read_visitor(seen.visitor_id),
        confidence=_read_number(seen.confidence),
        replayed=_read_flag(seen.replayed),
        ip_address=_read_address(seen.ip_address),
        linked_id=_read_text(seen.linked_id),
        bot=_find(_BOTS, verdicts.bot),
        suspect_score=_read_number(verdicts.suspect_score),
        tampering=_read_flag(verdicts.tampering),
        vpn=_read_flag(verdicts.vpn),
        proxy=_read_flag(verdicts.proxy),
        tor=_read_flag(verdicts.tor),
        hosting=_read_flag(verdicts.hosting),
        virtual_machine=_read_flag(verdicts.virtual_machine),
        incognito=_read_flag(verdicts.incognito),
        agent=_read_agent(seen.agent),
        platform=_find(_PLATFORMS, seen.platform) or "browser",
        source=source,
        networks=tuple(filter(None, map(_read_network, seen.networks))),
        relay=_read_flag(seen.relay),
        partial=seen.partial,
        failed=seen.failed,
        countries=tuple(sorted({one for one in seen.countries if isinstance(one, str) and is_country(one)})),
    )
    unfamiliar = tuple(_list_unfamiliar(seen, verdicts, event))
    return msgspec.structs.replace(event, unfamiliar=unfamiliar) if unfamiliar else event


def _list_unfamiliar(seen: Seen, verdicts: Verdicts, event: DeviceEvent) -> Iterator[str]:
    """Name the fields whose value was given and could not be read."""
    for name in Verdicts.__struct_fields__:
        if getattr(verdicts, name) is not None and getattr(event, name) is None:
            yield name
    if seen.confidence is not None and event.confidence is None:
        yield "confidence"
    if seen.agent is not None and event.agent is None:
        yield "bot_info"
    if seen.platform is not None and _find(_PLATFORMS, seen.platform) is None:
        yield "platform"
    if seen.source is not None and _find(_SOURCES, seen.source) is None:
        yield "source"


def _find(words: Mapping[str, T], value: object) -> T | None:
    return words.get(value) if isinstance(value, str) else None


def _read_agent(value: object) -> str | None:
    """Return an automation's category in Fingerprint's words, whichever these are by now."""
    if not isinstance(value, dict):
        return None
    category = value.get("category")
    return category if isinstance(category, str) and _CATEGORY.fullmatch(category) else "unknown"


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


def _read_network(value: object) -> str | None:
    """Return an address or a network as it came, if it is one: it is only compared, and never stored."""
    return value if isinstance(value, str) and addresses.is_network(value) else None


def _read_moment(value: object) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        return None
