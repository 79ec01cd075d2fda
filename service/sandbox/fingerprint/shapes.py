"""A Fingerprint event as API v4 and API v3 write it.

Called by sandbox.fingerprint.app and sandbox.fingerprint.service. The shapes follow the vendor's published examples;
what no rule reads and no package requires is left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from service.sandbox.fingerprint.events import FingerprintEvent, Mint

_V3_PRODUCTS = {"bot": "botd", "suspect_score": "suspectScore", "virtual_machine": "virtualMachine"}
_V3_BOTS = {"not_detected": "notDetected", "good": "good", "bad": "bad"}
_VERDICTS = {"bot", "suspect_score", "vpn", "proxy", "ip_blocklist", "tampering", "virtual_machine", "incognito"}
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
# No rule reads these, but the vendor's own v3 package loses the whole event without them.
_BROWSER = {
    "browserName": "Firefox",
    "browserMajorVersion": "140",
    "browserFullVersion": "140.0",
    "os": "Linux",
    "osVersion": "",
    "device": "Other",
    "userAgent": _USER_AGENT,
}
_VPN_DETAILS: dict[str, Any] = {
    "confidence": "high",
    "originTimezone": "Europe/Berlin",
    "originCountry": "unknown",
    "methods": {
        "timezoneMismatch": False,
        "publicVPN": False,
        "auxiliaryMobile": False,
        "osMismatch": False,
        "relay": False,
    },
}


def describe_v4(event: FingerprintEvent) -> dict[str, Any]:
    """Return the body of GET /v4/events/{event_id}."""
    order = event.order
    body: dict[str, Any] = {
        "event_id": event.id,
        "timestamp": event.made_at,
        "linked_id": order.linked_id,
        "tags": order.tags,
        "url": order.url,
        "ip_address": order.ip,
        "user_agent": _USER_AGENT,
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


def describe_v3(event: FingerprintEvent) -> dict[str, Any]:
    """Return the body of GET /events/{request_id}."""
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
        "firstSeenAt": {"global": moment, "subscription": moment},
        "lastSeenAt": {"global": None, "subscription": None},
        "browserDetails": _BROWSER,
        "replayed": order.replayed,
    }
    bot = {
        "bot": {"result": _V3_BOTS[order.bot]},
        "url": order.url,
        "ip": order.ip,
        "time": moment,
        "userAgent": _USER_AGENT,
        "requestId": event.id,
    }
    products: dict[str, dict[str, Any]] = {
        "identification": identification,
        "botd": bot,
        "suspectScore": {"result": order.suspect_score},
        "vpn": {"result": order.vpn, **_VPN_DETAILS},
        "proxy": {"result": order.proxy, "confidence": "high"},
        "tor": {"result": order.tor},
        "tampering": {
            "result": order.tampering,
            "anomalyScore": 0.1,
            "antiDetectBrowser": order.anti_detect_browser,
            "mlScore": 0.1,
            "confidence": "high",
        },
        "virtualMachine": {"result": order.virtual_machine, "mlScore": 0.1},
        "incognito": {"result": order.incognito},
    }
    if "replayed" in order.missing:
        del identification["replayed"]
    absent = {_V3_PRODUCTS.get(name, name) for name in order.missing}
    kept = {"identification"} if _find_uncomputed(order) else set(products)
    return {"products": {name: {"data": data} for name, data in products.items() if name in kept - absent}}


def _find_uncomputed(order: Mint) -> set[str]:
    return _VERDICTS if order.partially_completed or order.edge else set()
