"""A Fingerprint event as API v4 and API v3 write it.

Called by sandbox.fingerprint.app and sandbox.fingerprint.service. The shapes follow the vendor's published examples;
what no rule reads and no package requires is left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from service import addresses
from service.sandbox.fingerprint.events import FingerprintEvent, Mint

_V3_PRODUCTS = {
    "bot": "botd", "suspect_score": "suspectScore", "virtual_machine": "virtualMachine", "ip_info": "ipInfo",
}  # fmt: skip
_V3_BOTS = {"not_detected": "notDetected", "good": "good", "bad": "bad"}
_VERDICTS = {
    "bot", "bot_info", "suspect_score", "vpn", "vpn_methods", "proxy", "ip_blocklist", "tampering", "virtual_machine",
    "incognito", "ip_info",
}  # fmt: skip
_OF_BROWSERS = {"url", "bot", "bot_info", "virtual_machine", "incognito"}
_OF_EDGE = {
    "event_id", "timestamp", "source", "linked_id", "tags", "url", "bot_info", "ip_info", "proxy", "vpn", "vpn_methods",
}  # fmt: skip
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
}
_VPN_METHODS = {
    "timezoneMismatch": False,
    "publicVPN": False,
    "auxiliaryMobile": False,
    "osMismatch": False,
    "relay": False,
}
_FAILED = {"error": {"code": "TooManyRequests", "message": "too many requests"}}


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
        "vpn_methods": {"public_vpn": False, "relay": order.relay},
        "ip_info": _describe_address(order),
        "virtual_machine": order.virtual_machine,
        "incognito": order.incognito,
        "sdk": {"platform": order.platform, "version": "3.11.10"},
    }
    if order.agent is not None:
        body["bot_info"] = {
            "category": order.agent, "provider": "OpenAI", "name": "ChatGPT Agent", "identity": "signed",
            "confidence": "high",
        }  # fmt: skip
    if order.partially_completed:
        body["incremental_identification_status"] = "partially_completed"
    body["source"] = "edge" if order.edge else "device"
    if order.linked_id is None:
        del body["linked_id"]
    absent = {"ip_blocklist" if name == "tor" else name for name in order.missing} | _find_uncomputed(order)
    if "vpn" in order.missing:
        absent.add("vpn_methods")
    if order.platform in ("android", "ios"):
        absent |= _OF_BROWSERS
    return {name: value for name, value in body.items() if name not in absent and (name in _OF_EDGE or not order.edge)}


def _describe_address(order: Mint) -> dict[str, Any]:
    """Return what is told of the address, under the name of its family; nothing of one that is none."""
    address = addresses.parse(order.ip)
    if address is None:
        return {}
    told = {
        "address": order.ip,
        "geolocation": {"country_code": order.country},
        "asn": order.asn,
        "asn_network": order.asn_network or f"{address}/{address.max_prefixlen}",
        "asn_type": "hosting" if order.datacenter else "isp",
        "datacenter_result": order.datacenter,
    }
    return {f"v{address.version}": told}


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
        "sdk": {"platform": order.platform, "version": "3.11.10"},
        "visitorFound": True,
        "firstSeenAt": {"global": moment, "subscription": moment},
        "lastSeenAt": {"global": None, "subscription": None},
        "browserDetails": _BROWSER,
        "replayed": order.replayed,
    }
    bot = {
        "bot": {"result": _V3_BOTS.get(order.bot, order.bot)},
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
        "vpn": {"result": order.vpn, **_VPN_DETAILS, "methods": _VPN_METHODS | {"relay": order.relay}},
        "proxy": {"result": order.proxy, "confidence": "high"},
        "tor": {"result": order.tor},
        "tampering": {
            "result": order.tampering,
            "anomalyScore": 0.1,
            "antiDetectBrowser": order.anti_detect_browser,
            "mlScore": 0.1,
            "confidence": "high",
        },
        "ipInfo": _describe_address_v3(order),
        "virtualMachine": {"result": order.virtual_machine, "mlScore": 0.1},
        "incognito": {"result": order.incognito},
    }
    if "replayed" in order.missing:
        del identification["replayed"]
    absent = {_V3_PRODUCTS.get(name, name) for name in order.missing}
    if order.platform in ("android", "ios"):
        absent |= {"botd", "virtualMachine", "incognito"}
        del identification["url"], identification["incognito"]
    kept = ({"identification"} if _find_uncomputed(order) or order.edge else set(products)) - absent
    failed = {_V3_PRODUCTS.get(name, name) for name in order.failed}
    return {
        "products": {name: _FAILED if name in failed else {"data": products[name]} for name in products if name in kept}
    }


def _describe_address_v3(order: Mint) -> dict[str, Any]:
    return {
        family: {
            "address": told["address"],
            "geolocation": {"country": {"code": told["geolocation"]["country_code"], "name": ""}},
            "asn": {"asn": told["asn"], "name": "", "network": told["asn_network"], "type": told["asn_type"]},
            "datacenter": {"result": told["datacenter_result"], "name": ""},
        }
        for family, told in _describe_address(order).items()
    }


def _find_uncomputed(order: Mint) -> set[str]:
    return _VERDICTS if order.partially_completed else set()
