"""An event as Fingerprint's API v4 writes it.

Called by providers.fingerprint.v4 and providers.fingerprint.sealed. Pure, and never raises.
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
from service.providers.fingerprint.event import EventUnavailable
from service.providers.fingerprint.verdicts import NO_VERDICTS, Seen, Verdicts, compose


class _Identification(msgspec.Struct):
    visitor_id: Any = None
    confidence: Confidence | None = None


class _Blocklist(msgspec.Struct):
    tor_node: Any = None


class _V4(msgspec.Struct):
    event_id: Any = None
    timestamp: Any = None
    source: Any = None
    incremental_identification_status: Any = None
    identification: _Identification | None = None
    replayed: Any = None
    ip_address: Any = None
    linked_id: Any = None
    bot: Any = None
    suspect_score: Any = None
    tampering: Any = None
    vpn: Any = None
    proxy: Any = None
    ip_blocklist: _Blocklist | None = None
    virtual_machine: Any = None
    emulator: Any = None
    simulator: Any = None
    incognito: Any = None
    bot_info: Any = None
    ip_info: Any = None
    sdk: Any = None
    vpn_methods: Any = None

    def computed(self) -> bool:
        """Whether its verdicts mean anything: the vendor says that those of partial events do not."""
        return bool(self.incremental_identification_status != "partially_completed")


_decoder = msgspec.json.Decoder(_V4)


def read_v4(body: bytes, asked: str | None = None) -> DecodedEvent:
    """Read an event of API v4. `asked`: the id used to ask, in case the body does not repeat it."""
    read = decode_body(_decoder, body)
    if not isinstance(read, _V4):
        return read
    if read.event_id is None and read.timestamp is None:
        return EventUnavailable(UNREADABLE)
    seen = Seen(
        event_id=read.event_id,
        timestamp=read.timestamp,
        visitor_id=dig(read.identification, "visitor_id"),
        confidence=dig(read.identification, "confidence", "score"),
        replayed=read.replayed,
        ip_address=read.ip_address or dig(read.ip_info, "v4", "address") or dig(read.ip_info, "v6", "address"),
        linked_id=read.linked_id,
        platform=dig(read.sdk, "platform"),
        source=read.source,
        agent=read.bot_info,
        relay=dig(read.vpn_methods, "relay"),
        partial=not read.computed(),
        networks=tuple(dig(read.ip_info, family, name) for family in FAMILIES for name in ("address", "asn_network")),
        countries=tuple(dig(read.ip_info, family, "geolocation", "country_code") for family in FAMILIES),
    )
    verdicts = Verdicts(
        bot=read.bot,
        suspect_score=read.suspect_score,
        tampering=read.tampering,
        vpn=read.vpn,
        proxy=read.proxy,
        tor=dig(read.ip_blocklist, "tor_node"),
        hosting=either(*(dig(read.ip_info, family, "datacenter_result") for family in FAMILIES)),
        virtual_machine=either(read.virtual_machine, read.emulator, read.simulator),
        incognito=read.incognito,
    )
    return compose(seen, verdicts if read.computed() else NO_VERDICTS, asked) or EventUnavailable(UNREADABLE)
