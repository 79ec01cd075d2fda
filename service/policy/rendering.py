"""The policy in force, written as TOML: what `policy show` prints. It can be used as POLICY_FILE.

Called by cli and api.console. Writes the values as the files give them, and marks those that were overridden.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from service.policy.loading import default_text, drop_all, merge, own_text, parse, read_tables, rename_all
from service.policy.totals import add_totals

Table = dict[str, Any]


def render(path: str | Path | None) -> str:
    """Return the policy in force as TOML. Raises PolicyError."""
    return _render(own_text(path))


def _render(own: str) -> str:
    version = parse(own).default.version
    shipped, given = tomllib.loads(default_text()), read_tables(own)
    drop_all(given)
    rename_all(given, [])
    add_totals(given)
    clients = given.pop("clients", {})
    lines = [f"# The policy in force, version {version}."]
    lines += _write("", merge(shipped, given), shipped)
    for name, table in clients.items():
        lines += _write(f"clients.{name}", table, {})
    return "\n".join(lines) + "\n"


class Difference(NamedTuple):
    """A setting that is not as shipped, as TOML. `shipped`: None where nothing is shipped, as for a client's own."""

    setting: str
    value: str
    shipped: str | None


class ComparedPolicy(NamedTuple):
    """The policy file as it is now: its version, the whole policy as TOML, and what of it differs."""

    version: str
    text: str
    differences: list[Difference]


def compare(path: str | Path | None) -> ComparedPolicy:
    """Compare the policy with the shipped one. Raises PolicyError."""
    return _compare(own_text(path))


@lru_cache(maxsize=2)
def _compare(own: str) -> ComparedPolicy:
    given, shipped = read_tables(own), tomllib.loads(default_text())
    rename_all(given, [])
    differences = list(_differ("", given, shipped))
    return ComparedPolicy(parse(own).default.version, _render(own), differences)


def _differ(path: str, given: Table, shipped: Table) -> Iterator[Difference]:
    for name, value in given.items():
        place, other = f"{path}.{name}" if path else name, shipped.get(name)
        if isinstance(value, dict):
            yield from _differ(place, value, other if isinstance(other, dict) else {})
        elif value != other:
            yield Difference(place, _literal(value), None if other is None else _literal(other))


def _write(path: str, table: Table, shipped: Table) -> Iterator[str]:
    plain = {name: value for name, value in table.items() if not isinstance(value, dict)}
    if path and (plain or not table):
        yield ""
        yield f"[{path}]"
    for name, value in plain.items():
        line = f"{name} = {_literal(value)}"
        other = shipped.get(name, value)
        yield line if other == value else f"{line}  # shipped: {_literal(other)}"
    for name, inner in table.items():
        if isinstance(inner, dict):
            yield from _write(f"{path}.{name}" if path else name, inner, shipped.get(name, {}))


def _literal(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    # All others are strings, numbers, booleans and lists of strings: JSON writes them as TOML does.
    return json.dumps(value, ensure_ascii=False)
