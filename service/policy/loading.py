"""Reads the policy: the shipped TOML file and the one that overrides it, with every mistake in either.

Called by app and cli at the start. Reads these two files and nothing else.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from service.errors import PolicyError
from service.policy.model import Policies, Policy, Renamed
from service.policy.renamed import drop_gone, rename
from service.policy.toml_lines import line_of
from service.policy.totals import add_totals
from service.policy.values import read_value

Table = dict[str, Any]
CLIENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def default_text() -> str:
    """Return the text of the policy that ships."""
    return resources.files("service.policy").joinpath("default_policy.toml").read_text(encoding="utf-8")


def own_text(path: str | Path | None) -> str:
    """Return the overriding text, "" for none. Raises PolicyError if it cannot be read."""
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8-sig")  # as editors on Windows write it
    except OSError as error:
        raise PolicyError(f"The policy file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise PolicyError(f"The policy file {path} is not text in UTF-8.") from None


def load(path: str | Path | None) -> Policies:
    """Read the shipped policy and the file that overrides it. Raises PolicyError naming every mistake."""
    return parse(own_text(path))


def parse(own: str) -> Policies:
    """Merge an overriding text with the shipped policy. Raises PolicyError naming every mistake with its line."""
    base, given = tomllib.loads(default_text()), read_tables(own)
    version = hashlib.sha256((default_text() + own).encode()).hexdigest()[:12]
    mistakes: list[str] = []
    gone = [Renamed(line_of(own, old), old, "") for old in drop_all(given)]
    moved = rename_all(given, mistakes)
    add_totals(given)
    clients = given.pop("clients", {})
    tables = merge(base, given)
    default = _build(tables, "", mistakes, version=version, number=0)
    # If there is a mistake in the default policy, each client's own values are still checked.
    below = base if mistakes else tables
    built: dict[str, Policy] = {}
    for number, (name, table) in enumerate(clients.items() if isinstance(clients, dict) else [("", None)], 1):
        if not CLIENT.fullmatch(name) or not isinstance(table, dict):
            mistakes.append(f"clients.{name}: expected a table named after a client, such as [clients.shop]")
            continue
        if "alerts" in table:
            mistakes.append(f"clients.{name}.alerts: alerts are of the whole service, no client has its own")
        if isinstance(table.get("client"), dict):
            mistakes.append(f"clients.{name}.client: what one client has of its own stands in [clients.{name}] itself")
        merged = merge(below, client_tables(table))
        policy = _build(merged, f"clients.{name}.", mistakes, version=version, number=number)
        if policy is not None:
            built[name] = policy
    if mistakes or default is None:
        placed = sorted({_place(own, mistake, moved) for mistake in mistakes})
        raise PolicyError("\n".join(["The policy file needs attention:", *(f"  {where}" for _, where in placed)]))
    old_names = [Renamed(line_of(own, old), old, new.rpartition(".")[2]) for new, old in moved.items()]
    return Policies(default, built, old_names + gone)


def read_tables(own: str) -> Table:
    """Decode the overriding text. Raises PolicyError."""
    try:
        return tomllib.loads(own)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"The policy file is not TOML: {error}") from None
    except (RecursionError, ValueError):
        # tomllib's own limits, for which it has no message and no line.
        raise PolicyError("The policy file is no policy: lists within lists, or digits, without end.") from None


def rename_all(given: Table, mistakes: list[str]) -> dict[str, str]:
    """Give settings their new names, in place, for all clients and for each; return the old paths by the new ones."""
    moved: dict[str, str] = {}
    for tables, where in _list_policies(given):
        rename(tables, where, moved, mistakes)
    return moved


def drop_all(given: Table) -> list[str]:
    """Take out settings that are gone, in place, for all clients and for each; return their paths."""
    return [path for tables, where in _list_policies(given) for path in drop_gone(tables, where)]


def _list_policies(given: Table) -> Iterator[tuple[Table, str]]:
    """Yield the tables for all clients and those of each, and the path before them."""
    yield given, ""
    clients = given.get("clients")
    for name, table in clients.items() if isinstance(clients, dict) else ():
        yield table if isinstance(table, dict) else {}, f"clients.{name}."


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    """Override one table by another, value by value."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        merged[name] = merge(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def client_tables(table: Table) -> Table:
    """Put the plain values of [clients.NAME] where a policy keeps them: in its table `client`."""
    plain = {name: value for name, value in table.items() if not isinstance(value, dict)}
    return {**{name: value for name, value in table.items() if isinstance(value, dict)}, "client": plain}


def _build(tables: Table, where: str, mistakes: list[str], *, version: str, number: int) -> Policy | None:
    own = {"version": version, "number": number}
    found = [f"{name}: there is no such setting" for name in own if name in tables]
    policy: Policy | None = read_value(Policy, tables | own, "", found)
    mistakes.extend(f"{where}{mistake}" for mistake in found)
    return policy


def _place(text: str, mistake: str, moved: Mapping[str, str]) -> tuple[int, str]:
    path, _, reason = mistake.partition(": ")
    path = moved.get(path, path)
    path = path.replace(".client.", ".", 1) if path.startswith("clients.") else path
    line = line_of(text, path)
    return line or 0, f"{f'line {line}: ' if line else ''}{path}: {reason}"
