"""Accepts one spelling of each path.

Called by observation, before anything is routed. Litestar would take //v1/x, /v1%2fx and /v1/x/ for /v1/x, so what a
proxy in front allows or forbids by path would mean something else to us.
"""

from __future__ import annotations

import re

from litestar.types import Scope

# Segments of unreserved characters, not empty and not beginning with a dot: none of our paths needs encoding.
CANONICAL = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)++")
# A path that no route can have, since every requested path begins with a slash.
NOWHERE = "/%"


def refuse_other_spellings(scope: Scope) -> None:
    """Route a request with a non-canonical path to a 404."""
    # The raw path: in the decoded one /v1%2fx looks like /v1/x.
    if not CANONICAL.fullmatch(scope["raw_path"]):
        scope["path"] = NOWHERE
