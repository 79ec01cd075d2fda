"""Which spelling of a path is the one that it has here.

Called by observation, before anything is routed. Litestar would take //v1/x, /v1%2fx and /v1/x/ for /v1/x, and what a
proxy in front allows or forbids by path would mean something else to us.
"""

from __future__ import annotations

import re

from litestar.types import Scope

# Segments of unreserved characters, none of them empty or beginning with a dot: no path of ours encodes anything.
CANONICAL = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)++")
# What no route can be: a decoded path that is asked for begins with a slash.
NOWHERE = "/%"


def refuse_other_spellings(scope: Scope) -> None:
    """Have a request whose path is not canonical ask for what is not there."""
    if not CANONICAL.fullmatch(scope["raw_path"]):
        scope["path"] = NOWHERE
