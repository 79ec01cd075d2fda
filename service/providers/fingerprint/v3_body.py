"""An event as Fingerprint's API v3 writes it.

Called by providers.fingerprint.v3 and providers.fingerprint.sealed. Pure, and never raises.
"""

from __future__ import annotations

from typing import Any

import msgspec

from service.providers.fingerprint.bodies import UNREADABLE, Confidence, DecodedEvent, decode_body, dig
from service.providers.fingerprint.event import EventUnavailable
from service.providers.fingerprint.verdicts import Seen, Verdicts, compose


class _Result(msgspec.Struct):
    result: Any = None


class _Bot(msgspec.Struct, rename="camel"):
    bot: _Result | None = None
    request_id: Any = None


class _Identified(msgspec.Struct, rename="camel"):
    request_id: Any = None
    timestamp: Any = None
    visitor_id: Any = None
    confidence: Confidence | None = None
    replayed: Any = None
    ip: Any = None
    linked_id: Any = None


class _Product(msgspec.Struct):
    data: _Result | None = None


class _BotProduct(msgspec.Struct):
    data: _Bot | None = None


class _IdentifiedProduct(msgspec.Struct):
    data: _Identified | None = None


class _Products(msgspec.Struct, rename="camel"):
    identification: _IdentifiedProduct | None = None
    botd: _BotProduct | None = None
    suspect_score: _Product | None = None
    tampering: _Product | None = None
    vpn: _Product | None = None
    proxy: _Product | None = None
    tor: _Product | None = None
    virtual_machine: _Product | None = None
    incognito: _Product | None = None


class _V3(msgspec.Struct):
    products: _Products


_decoder = msgspec.json.Decoder(_V3)


def read_v3(body: bytes, asked: str | None = None) -> DecodedEvent:
    """Read an event of API v3, as read_v4 does. v3 does not mark incomplete events: without any verdict, it is one."""
    read = decode_body(_decoder, body)
    if not isinstance(read, _V3):
        return read
    products = read.products
    if products == _Products():
        return EventUnavailable(UNREADABLE)
    person = dig(products.identification, "data") or _Identified()
    seen = Seen(
        event_id=person.request_id or dig(products.botd, "data", "request_id"),
        timestamp=person.timestamp,
        visitor_id=person.visitor_id,
        confidence=dig(person.confidence, "score"),
        replayed=person.replayed,
        ip_address=person.ip,
        linked_id=person.linked_id,
    )
    verdicts = Verdicts(
        bot=dig(products.botd, "data", "bot", "result"),
        suspect_score=dig(products.suspect_score, "data", "result"),
        tampering=dig(products.tampering, "data", "result"),
        vpn=dig(products.vpn, "data", "result"),
        proxy=dig(products.proxy, "data", "result"),
        tor=dig(products.tor, "data", "result"),
        virtual_machine=dig(products.virtual_machine, "data", "result"),
        incognito=dig(products.incognito, "data", "result"),
    )
    return compose(seen, verdicts, asked) or EventUnavailable(UNREADABLE)
