"""The sandbox's HTML: one file for each page, no external sources, and a Content-Security-Policy that enforces it.

Called by inbox and demo. Style and script are in the page and are allowed by their hashes, so nothing that is put into
a page later can run.
"""

from __future__ import annotations

import base64
import hashlib
import re

from litestar import MediaType, Response

_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


def create_page(markup: str) -> Response[str]:
    """Return a page. Whatever came from outside must be escaped in it already."""
    headers = {
        "content-security-policy": _write_policy(markup),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return Response(markup, media_type=MediaType.HTML, headers=headers)


def _write_policy(markup: str) -> str:
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    for kind, content in _INLINE.findall(markup):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {' '.join(hashes['style'])}" if hashes["style"] else "style-src 'none'",
            f"script-src {' '.join(hashes['script'])}" if hashes["script"] else "script-src 'none'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
