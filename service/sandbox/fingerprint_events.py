"""Fingerprint events: made to order, and written down as API v4 and as API v3 do.

Called by fingerprint_app and the demo's backend. The shapes follow the vendor's published examples; what
no rule reads is left out.
"""

from __future__ import annotations

import secrets
import string
import time
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Signal = Literal["identification", "bot", "suspect_score", "replayed", "vpn", "proxy", "tor", "tampering"]
_V3_PRODUCTS = {"bot": "botd", "suspect_score": "suspectScore"}
_V3_BOTS = {"not_detected": "notDetected", "good": "good", "bad": "bad"}
_VERDICTS = {"bot", "suspect_score", "vpn", "proxy", "ip_blocklist", "tampering", "virtual_machine", "incognito"}
_ID_LETTERS = string.ascii_letters + string.digits


class Mint(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An event as it is ordered; as it stands, an ordinary person on an ordinary browser, just now.

    `age`: seconds since it was made. `visible_after`: seconds from now during which it is not found.
    `missing`: signals left out. `partially_completed` and `edge`: no verdict was computed. `sealed_api`:
    which shape the sealed result holds.
    """

    visitor_id: str | None = None
    bot: Literal["not_detected", "good", "bad"] = "not_detected"
    suspect_score: int = 0
    confidence: float = 0.97
    replayed: bool = False
    age: float = 0.0
    ip: str = "203.0.113.7"
    linked_id: str | None = None
    tags: dict[str, Any] = {}
    url: str = "https://www.example.com/sign-up"
    vpn: bool = False
    proxy: bool = False
    tor: bool = False
    tampering: bool = False
    anti_detect_browser: bool = False
    virtual_machine: bool = False
    incognito: bool = False
    missing: tuple[Signal, ...] = ()
    partially_completed: bool = False
    edge: bool = False
    visible_after: float = 0.0
    sealed_api: Literal["v4", "v3"] = "v4"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `made_at`: unix milliseconds; `visible_at`: on the monotonic clock, in seconds."""

    id: str
    visitor_id: str
    made_at: int
    visible_at: float
    order: Mint


def mint_event(order: Mint) -> Event:
    """Make an event; a visitor that is not named is a new one."""
    made_at = int((time.time() - order.age) * 1000)
    return Event(
        id=f"{made_at:013d}.{_draw_letters(6)}",
        visitor_id=order.visitor_id or _draw_letters(20),
        made_at=made_at,
        visible_at=time.monotonic() + order.visible_after,
        order=order,
    )


def describe_v4(event: Event) -> dict[str, Any]:
    """The body of GET /v4/events/{event_id}."""
    order = event.order
    body: dict[str, Any] = {
        "event_id": event.id,
        "timestamp": event.made_at,
        "linked_id": order.linked_id,
        "tags": order.tags,
        "url": order.url,
        "ip_address": order.ip,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "identification": {
            "visitor_id": event.visitor_id,
            "confidence": {"score": order.confidence, "version": "1.1"},
            "visitor_found": True,
            "first_seen_at": event.made_at,
            "last_seen_at": event.made_at,
        },
        "bot": order.bot,
        "suspect_score": order.suspect_score,
        "replayed": order.replayed,
        "vpn": order.vpn,
        "proxy": order.proxy,
        "ip_blocklist": {"email_spam": False, "attack_source": False, "tor_node": order.tor},
        "tampering": order.tampering,
        "tampering_details": {"anomaly_score": 0.1, "anti_detect_browser": order.anti_detect_browser},
        "virtual_machine": order.virtual_machine,
        "incognito": order.incognito,
    }
    if order.partially_completed:
        body["incremental_identification_status"] = "partially_completed"
    if order.edge:
        body["source"] = "edge"
    if order.linked_id is None:
        del body["linked_id"]
    absent = {"ip_blocklist" if name == "tor" else name for name in order.missing}
    return {name: value for name, value in body.items() if name not in absent | _find_uncomputed(order)}


def describe_v3(event: Event) -> dict[str, Any]:
    """The body of GET /events/{request_id}."""
    order = event.order
    moment = datetime.fromtimestamp(event.made_at / 1000, UTC).isoformat(timespec="milliseconds")
    identification = {
        "visitorId": event.visitor_id,
        "requestId": event.id,
        "incognito": order.incognito,
        "linkedId": order.linked_id,
        "tag": order.tags,
        "time": moment,
        "timestamp": event.made_at,
        "url": order.url,
        "ip": order.ip,
        "confidence": {"score": order.confidence},
        "visitorFound": True,
        "replayed": order.replayed,
    }
    bot = {"bot": {"result": _V3_BOTS[order.bot]}, "ip": order.ip, "time": moment, "requestId": event.id}
    products: dict[str, dict[str, Any]] = {
        "identification": identification,
        "botd": bot,
        "suspectScore": {"result": order.suspect_score},
        "vpn": {"result": order.vpn},
        "proxy": {"result": order.proxy},
        "tor": {"result": order.tor},
        "tampering": {
            "result": order.tampering,
            "anomalyScore": 0.1,
            "antiDetectBrowser": order.anti_detect_browser,
        },
        "virtualMachine": {"result": order.virtual_machine},
        "incognito": {"result": order.incognito},
    }
    if "replayed" in order.missing:
        del identification["replayed"]
    absent = {_V3_PRODUCTS.get(name, name) for name in order.missing}
    kept = {"identification"} if _find_uncomputed(order) else set(products)
    return {"products": {name: {"data": data} for name, data in products.items() if name in kept - absent}}


def _find_uncomputed(order: Mint) -> set[str]:
    return _VERDICTS if order.partially_completed or order.edge else set()


def _draw_letters(length: int) -> str:
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(length))
