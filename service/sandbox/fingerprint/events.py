"""Fingerprint events made to order: what an order can contain, and the event made from it.

Called by sandbox.fingerprint.service. How an event is written is in sandbox.fingerprint.shapes.
"""

from __future__ import annotations

import secrets
import string
import time
from typing import Any, Literal

import msgspec

Signal = Literal[
    "identification",
    "bot",
    "suspect_score",
    "replayed",
    "vpn",
    "proxy",
    "tor",
    "tampering",
    "virtual_machine",
    "incognito",
    "ip_info",
]
Product = Literal["identification", "bot", "suspect_score", "vpn", "proxy", "tor", "tampering", "virtual_machine"]
_ID_LETTERS = string.ascii_letters + string.digits


class Mint(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An order for an event; by default, an ordinary person with an ordinary browser, just now.

    `age`: seconds since it was made. `visible_after`: seconds from now during which it is not found. The bot `unknown`
    is a value that Fingerprint does not have yet. `missing`: signals left out. `partially_completed`: no verdict was
    computed. `platform`: of the SDK; the mobile ones have no bot, virtual machine or incognito signal. `edge`: made by
    Fingerprint's edge API, with what that computes and nothing else. `agent`: the category of a known automation
    (`bot_info`). `failed`: products that v3 answers with an error. `country`, `asn`, `asn_network`, `datacenter`,
    `relay`: what is told of the address. `sealed_api`: which shape the sealed result holds.
    """

    visitor_id: str | None = None
    bot: Literal["not_detected", "good", "bad", "unknown"] = "not_detected"
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
    agent: str | None = None
    country: str = "US"
    asn: str = "7922"
    asn_network: str | None = None
    datacenter: bool = False
    relay: bool = False
    missing: tuple[Signal, ...] = ()
    failed: tuple[Product, ...] = ()
    platform: Literal["js", "android", "ios", "unknown"] = "js"
    partially_completed: bool = False
    edge: bool = False
    visible_after: float = 0.0
    sealed_api: Literal["v4", "v3"] = "v4"


class FingerprintEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `made_at`: unix milliseconds; `visible_at`: on the monotonic clock, in seconds."""

    id: str
    visitor_id: str
    made_at: int
    visible_at: float
    order: Mint


def mint_event(order: Mint) -> FingerprintEvent:
    """Make an event; if no visitor is named, it is a new one."""
    made_at = int((time.time() - order.age) * 1000)
    return FingerprintEvent(
        id=f"{made_at:013d}.{_draw_letters(6)}",
        visitor_id=order.visitor_id or _draw_letters(20),
        made_at=made_at,
        visible_at=time.monotonic() + order.visible_after,
        order=order,
    )


def _draw_letters(length: int) -> str:
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(length))
