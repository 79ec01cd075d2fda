"""The sandbox's HTML: pages without external sources, and a Content-Security-Policy that enforces it.

Called by inbox, demo and the stand-in for Fingerprint's agent. Style and script are files of the sandbox's own, or are
in the page and allowed by their hashes, so nothing that is put into a page later can run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

from litestar import MediaType, Response

JAVASCRIPT, CSS = "text/javascript", "text/css"
_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store"}


def create_page(
    markup: str, *, sources: Sequence[str] = (), scripts: Sequence[str] = (), connects: Sequence[str] = ()
) -> Response[str]:
    """Return a page. Whatever came from outside must be escaped in it already.

    `sources`: from where styles and scripts may come, if not out of the page; `scripts` and `connects`: further ones.
    """
    headers = {"content-security-policy": _write_policy(markup, sources, scripts, connects), **_HEADERS}
    return Response(markup, media_type=MediaType.HTML, headers=headers)


def create_asset(text: str, media_type: str) -> Response[str]:
    """Return a file that a page loads."""
    return Response(text, media_type=media_type, headers=dict(_HEADERS))


def _write_policy(markup: str, sources: Sequence[str], scripts: Sequence[str], connects: Sequence[str]) -> str:
    allowed: dict[str, list[str]] = {"style": list(sources), "script": [*sources, *scripts]}
    for kind, content in _INLINE.findall(markup):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        allowed[kind].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            "style-src " + (" ".join(allowed["style"]) or "'none'"),
            "script-src " + (" ".join(allowed["script"]) or "'none'"),
            " ".join(("connect-src 'self'", *connects)),
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
