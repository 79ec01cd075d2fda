"""Decodes Fingerprint's bodies partially, with msgspec, whatever a visitor put into them.

Called by the modules beside it. Pure, and never raises. What a page's visitor can attach to an event (tag, linked id,
the page's address) must not decide whether it can be decoded.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from service.providers.fingerprint.event import DeviceEvent, EventUnavailable, EventUnknown

MOST_BYTES = 1_048_576
"""More than any event with all that can be tagged to it."""

UNREADABLE = "unreadable"
FAMILIES = ("v4", "v6")
"""Under which names an event tells of its addresses."""

_MOST_DIGITS = 18

T = TypeVar("T")
DecodedEvent = DeviceEvent | EventUnknown | EventUnavailable


class Confidence(msgspec.Struct):
    """How sure Fingerprint is of the visitor; the same in both APIs."""

    score: Any = None


def decode_body(decoder: msgspec.json.Decoder[T], body: bytes) -> T | EventUnknown | EventUnavailable:
    """Decode a body; Down if Fingerprint cannot have written it."""
    try:
        return decoder.decode(body)
    except RecursionError:
        return EventUnknown(UNREADABLE)
    except (msgspec.MsgspecError, ValueError):
        return _decode_patiently(decoder.type, body)


def _decode_patiently(kind: type[T], body: bytes) -> T | EventUnknown | EventUnavailable:
    """Decode what a visitor can cause and msgspec refuses: lone surrogates, endless numbers, deep nesting.

    Python gives up near a depth of a thousand, Fingerprint's own part has ten: so depth is held against its maker.
    """
    try:
        return msgspec.convert(json.loads(body, parse_int=lambda digits: int(digits[:_MOST_DIGITS])), kind)
    except RecursionError:
        return EventUnknown(UNREADABLE)
    except (msgspec.MsgspecError, ValueError):
        return EventUnavailable(UNREADABLE)


def either(*values: Any) -> Any:
    """Return what several places tell of one thing: True where any says so, else the first that says anything."""
    given = [value for value in values if value is not None]
    return True if True in given else next(iter(given), None)


def dig(thing: Any, *path: str) -> Any:
    """Return the value at the end of a path, None if the path ends early.

    Through structures, and through objects that were decoded as they came: no type of theirs can cost the event.
    """
    for name in path:
        thing = thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)
    return thing
