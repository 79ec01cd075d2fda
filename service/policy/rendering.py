"""The policy in force, written as TOML: what `policy show` prints. It can be used as POLICY_FILE.

Called by cli. Writes the values as the files give them, and marks those that were overridden.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from service.policy.loading import default_text, drop_all, merge, own_text, parse, read_tables, rename_all
from service.policy.totals import add_totals

Table = dict[str, Any]


def render(path: str | Path | None) -> str:
    """Return the policy in force as TOML. Raises PolicyError."""
    own = own_text(path)
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
