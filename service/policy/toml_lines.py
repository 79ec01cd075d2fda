"""Where a value stands in a TOML text, for messages. Called by policy.loading; reads text, understands nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator


def line_of(text: str, path: str) -> int | None:
    """Return the line, from 1, that sets the dotted `path`, or the nearest table above it, or the first below it."""
    places = list(_places(text))
    above = [(len(here), -number) for number, here in places if path == here or path.startswith(f"{here}.")]
    below = [number for number, here in places if here.startswith(f"{path}.")]
    return -max(above)[1] if above else min(below, default=None)


def _places(text: str) -> Iterator[tuple[int, str]]:
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]", line):
            table = header[1].replace('"', "")
            yield number, table
        elif key := re.match(r"\s*([\w.\"-]+)\s*=", line):
            yield number, f"{table}.{key[1]}".strip(".").replace('"', "")
