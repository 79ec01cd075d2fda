"""Where a value stands in a TOML text, for messages. Called by policy; reads text, understands nothing."""

from __future__ import annotations

import re


def line_of(text: str, path: str) -> int | None:
    """Return the line, from 1, that sets the dotted `path` or the nearest table above it; None if none does."""
    best: tuple[int, int] | None = None
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            table = header[1].replace('"', "")
            here = table
        elif key := re.match(r"\s*([\w.\"-]+)\s*=", line):
            here = f"{table}.{key[1]}".strip(".").replace('"', "")
        else:
            continue
        if (path == here or path.startswith(f"{here}.")) and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return best[1] if best else None
