"""An event as Fingerprint's API v3 writes it.

Called by providers.fingerprint.v3 and providers.fingerprint.sealed. Pure, and never raises.
"""

from __future__ import annotations

from typing import Any

import msgspec

from service.providers.fingerprint.bodies import (
    FAMILIES,
    UNREADABLE,
    Confidence,
    DecodedEvent,
    decode_body,
    dig,
    either,
)
from service.providers.fingerprint.event import DeviceSignal, EventUnavailable
from service.providers.fingerprint.verdicts import Seen, Verdicts, compose

FAILED = "products_failed"


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
    sdk: Any = None


class _Product(msgspec.Struct):
    data: _Result | None = None
    error: Any = None


class _Network(msgspec.Struct):
    """A product that is read as it comes."""

    data: Any = None
    error: Any = None


class _BotProduct(msgspec.Struct):
    data: _Bot | None = None
    error: Any = None


class _IdentifiedProduct(msgspec.Struct):
    data: _Identified | None = None
    error: Any = None


class _Products(msgspec.Struct, rename="camel"):
    identification: _IdentifiedProduct | None = None
    botd: _BotProduct | None = None
    suspect_score: _Product | None = None
    tampering: _Product | None = None
    vpn: _Network | None = None
    proxy: _Product | None = None
    tor: _Product | None = None
    virtual_machine: _Product | None = None
    emulator: _Product | None = None
    incognito: _Product | None = None
    ip_info: _Network | None = None


class _V3(msgspec.Struct):
    products: _Products


# What a product tells of, where it says that it could not be computed.
_SIGNALS: dict[str, DeviceSignal] = {
    "identification": "confidence", "botd": "bot", "suspect_score": "suspect_score", "tampering": "tampering",
    "vpn": "vpn", "proxy": "proxy", "tor": "tor", "virtual_machine": "virtual_machine", "ip_info": "hosting",
}  # fmt: skip

_decoder = msgspec.json.Decoder(_V3)


def read_v3(body: bytes, asked: str | None = None) -> DecodedEvent:
    """Read an event of API v3, as read_v4 does. v3 does not mark incomplete events: without any verdict, it is one.

    A product can hold an error of its own within a 200: one that failed was not computed, and where all did there is no
    event.
    """
    read = decode_body(_decoder, body)
    if not isinstance(read, _V3):
        return read
    products = read.products
    if products == _Products():
        return EventUnavailable(UNREADABLE)
    given = {name: product for name in _SIGNALS if (product := getattr(products, name)) is not None}
    failed = [name for name, product in given.items() if product.error is not None and product.data is None]
    if failed and all(product.data is None for product in given.values()):
        return EventUnavailable(FAILED)
    person = dig(products.identification, "data") or _Identified()
    seen = Seen(
        event_id=person.request_id or dig(products.botd, "data", "request_id"),
        timestamp=person.timestamp,
        visitor_id=person.visitor_id,
        confidence=dig(person.confidence, "score"),
        replayed=person.replayed,
        ip_address=person.ip,
        linked_id=person.linked_id,
        platform=dig(person.sdk, "platform"),
        relay=dig(products.vpn, "data", "methods", "relay"),
        networks=tuple(
            dig(products.ip_info, "data", family, *path)
            for family in FAMILIES
            for path in (("address",), ("asn", "network"))
        ),
        countries=tuple(dig(products.ip_info, "data", family, "geolocation", "country", "code") for family in FAMILIES),
        failed=tuple(_SIGNALS[name] for name in failed),
    )
    verdicts = Verdicts(
        bot=dig(products.botd, "data", "bot", "result"),
        suspect_score=dig(products.suspect_score, "data", "result"),
        tampering=dig(products.tampering, "data", "result"),
        vpn=dig(products.vpn, "data", "result"),
        proxy=dig(products.proxy, "data", "result"),
        tor=dig(products.tor, "data", "result"),
        hosting=either(*(dig(products.ip_info, "data", family, "datacenter", "result") for family in FAMILIES)),
        virtual_machine=either(*(dig(one, "data", "result") for one in (products.virtual_machine, products.emulator))),
        incognito=dig(products.incognito, "data", "result"),
    )
    return compose(seen, verdicts, asked) or EventUnavailable(UNREADABLE)
