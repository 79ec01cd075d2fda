"""Stands in for Fingerprint's agent: its script, and the judgement of what that saw of a browser.

Mounted by sandbox.main; the sign-up page loads it where FINGERPRINT_PUBLIC_KEY is not set. It knows the plain marks of
automation only, and must never be taken for the real one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.response import Response

from service.sandbox.fingerprint.events import Mint
from service.sandbox.fingerprint.service import SimulatedFingerprint
from service.sandbox.pages import JAVASCRIPT, create_asset
from service.sandbox.visitors import address_of

PATH = "/fingerprint/agent.js"
_SCRIPT = Path(__file__).with_name("agent.js").read_text(encoding="utf-8")
_BOT_SCORE = 7  # what Fingerprint's default weights give a bad bot


class BrowserSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What the script saw. `globals`: names that automation leaves in a page. `device`: what tells devices apart.

    `mobile`: phones' browsers have no plugins, and some no size of their window.
    """

    webdriver: bool
    user_agent: str
    languages: list[str]
    plugins: int
    mobile: bool
    window: list[int]
    globals: list[str]
    device: list[str | int]


class Identified(msgspec.Struct, frozen=True):
    """What the page gets, as from the real agent."""

    event_id: str
    visitor_id: str


def list_marks(seen: BrowserSeen) -> Iterator[str]:
    """List what shows that no person sits at this browser."""
    if seen.webdriver:
        yield "navigator.webdriver is true"
    if "headless" in seen.user_agent.lower():
        yield "a headless browser's user agent"
    if not seen.languages:
        yield "no languages"
    if seen.plugins == 0 and not seen.mobile and "Chrome/" in seen.user_agent:
        yield "a desktop's Chrome without plugins"
    if 0 in seen.window and not seen.mobile:
        yield "a window without a size"
    if seen.globals:
        yield f"left behind by automation: {', '.join(seen.globals)}"


def tell_device(seen: BrowserSeen) -> str:
    """Return the visitor id: the same for all windows of a browser, private ones too."""
    digest = hashlib.sha256(msgspec.json.encode(seen.device)).digest()
    return base64.b32encode(digest).decode()[:20]


@get(PATH, sync_to_thread=False)
def load_agent() -> Response[str]:
    """Return the script, a module with the interface of v4's."""
    return create_asset(_SCRIPT, JAVASCRIPT)


@post("/fingerprint/identify", status_code=200, sync_to_thread=False)
def identify(
    data: JSONBody[BrowserSeen], request: Request[Any, Any, Any], fingerprint: NamedDependency[SimulatedFingerprint]
) -> Identified:
    """Make an event of what was seen."""
    marks = list(list_marks(data))
    visitor_id = tell_device(data)
    minted = fingerprint.mint(
        Mint(
            visitor_id=visitor_id,
            bot="bad" if marks else "not_detected",
            suspect_score=_BOT_SCORE if marks else 0,
            ip=address_of(request),
            tags={"marks": marks},
        )
    )
    return Identified(minted.event_id, visitor_id)


def list_agent_routes() -> list[HTTPRouteHandler]:
    """Return this module's handlers, which use `fingerprint`."""
    return [load_agent, identify]
