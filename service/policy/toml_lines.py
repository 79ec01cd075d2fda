"""Finds the line of a value in a TOML text, for messages. Called by policy.loading; does not parse TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any


def line_of(text: str, path: str) -> int | None:
    """Return the line, from 1, that sets the dotted `path`, or what stands nearest above it."""
    places = _find_places(text)
    while path not in places and path:
        path = path.rpartition(".")[0]
    return places.get(path)


@lru_cache(maxsize=1)
def _find_places(text: str) -> dict[str, int]:
    """Return where each path is set first."""
    places: dict[str, int] = {}
    table = ""
    for number, statement in _split(text):
        below = list(_list_paths(tomllib.loads(statement)))
        if statement.lstrip().startswith("["):
            table, paths = below[-1], below
        else:
            paths = [f"{table}.{path}" if table else path for path in below]
        for path in paths:
            places.setdefault(path, number)
    return places


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Give each statement with its first line: a few lines are one as soon as they can be read by themselves."""
    begun, statement = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # a list or a text that goes on in the next line
        yield begun, statement
        begun, statement = number + 1, ""


def _list_paths(tables: Any) -> Iterator[str]:
    for name, value in tables.items():
        yield name
        inner = value[0] if isinstance(value, list) and value else value  # [[name]]
        if isinstance(inner, dict):
            yield from (f"{name}.{path}" for path in _list_paths(inner))
