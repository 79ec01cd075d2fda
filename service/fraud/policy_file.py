"""Reading the policy: the shipped TOML file, the one laid over it, and what is wrong with either.

Called by app and cli at the start. Reads its two files and nothing else.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from service.errors import PolicyError
from service.fraud.policy import Policies, Policy, Seconds, Window
from service.fraud.policy_lines import line_of

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MOST_HITS = 1000
LONGEST_LIFE = 600.0


def default_text() -> str:
    """Return the text of the policy that ships."""
    return resources.files("service.fraud").joinpath("default_policy.toml").read_text()


def load(path: str | Path | None) -> Policies:
    """Read the shipped policy and the file that overrides it. Raises PolicyError naming every mistake."""
    own = Path(path).read_text() if path else ""
    return parse(own)


def parse(own: str) -> Policies:
    """Merge an overriding text with the shipped policy. Raises PolicyError naming every mistake with its line."""
    base = tomllib.loads(default_text())
    try:
        given = tomllib.loads(own)
    except tomllib.TOMLDecodeError as error:
        message = f"the policy file is not TOML: {error}"
        raise PolicyError(message) from None
    version = hashlib.sha256((default_text() + own).encode()).hexdigest()[:12]
    clients = given.pop("clients", {})
    mistakes: list[str] = []
    default = _build(merge(base, given), {"version": version, "number": 0}, own, "", mistakes)
    built = {}
    for number, (name, table) in enumerate({}.items() if mistakes else clients.items(), 1):
        tables = merge(merge(base, given), _client_tables(table))
        built[name] = _build(tables, {"version": version, "number": number}, own, f"clients.{name}.", mistakes)
    if mistakes:
        raise PolicyError("\n".join(["the policy file needs attention:", *dict.fromkeys(mistakes)]))
    return Policies(default, built)  # type: ignore[arg-type] # without mistakes each was built


def render(path: str | Path | None) -> str:
    """Return the policy in force as TOML: the shipped text, then what was laid over it. Raises PolicyError."""
    load(path)
    own = Path(path).read_text() if path else ""
    return default_text() + (f"\n# Laid over it by POLICY_FILE:\n{own}" if own else "")


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another, table by table, value by value."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        merged[name] = merge(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _client_tables(table: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in table.items() if not isinstance(value, dict)}
    return {**{name: value for name, value in table.items() if isinstance(value, dict)}, "client": plain}


def _build(tables: dict[str, Any], named: dict[str, Any], text: str, where: str, mistakes: list[str]) -> Policy | None:
    sections = {field.name: field.type for field in msgspec.structs.fields(Policy) if field.name not in named}
    built = dict(named)
    for name in tables.keys() - sections.keys():
        mistakes.append(_mistake(text, f"{where}{name}", "there is no such table"))
    for name, kind in sections.items():
        try:
            built[name] = msgspec.convert(tables[name], kind, dec_hook=_decode)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            inside = re.sub(r"`|\[.*", "", path)
            mistakes.append(_mistake(text, f"{where}{name}{inside}", reason))
    if len(built) < len(sections) + len(named):
        return None
    policy = Policy(**built)
    mistakes.extend(_mistake(text, f"{where}{path}", reason) for path, reason in _unsound(policy))
    return policy


def _unsound(policy: Policy) -> Iterator[tuple[str, str]]:
    if not 0 < policy.verification.expires_after <= LONGEST_LIFE:
        yield "verification.expires_after", "must be at most 10m"
    if not 0 < policy.lockout.codes_per_verification <= MOST_HITS:
        yield "lockout.codes_per_verification", "must be 1 to 1000"
    if not policy.fallback.order or len(set(policy.fallback.order)) != len(policy.fallback.order):
        yield "fallback.order", "must name each channel once, and one at least"
    for name in ("allow", "sms", "call", "flashcall"):
        if any(not re.fullmatch("[A-Z]{2}", code) for code in getattr(policy.countries, name) or []):
            yield f"countries.{name}", "must be ISO 3166 alpha-2 codes such as US"


def _mistake(text: str, path: str, reason: str) -> str:
    path = path.replace(".client.", ".", 1) if path.startswith("clients.") else path
    line = line_of(text, path)
    return f"  {f'line {line}: ' if line else ''}{path}: {reason[:1].lower()}{reason[1:]}"


def _decode(kind: type, value: Any) -> Any:
    if kind is Window:
        return _window(value)
    if kind is Seconds:
        return Seconds(_seconds(value))
    raise NotImplementedError


def _window(value: Any) -> Window:
    found = re.fullmatch(r"(\d{1,4})/(\d+[smhd])", str(value))
    if not found or not 1 <= int(found[1]) <= MOST_HITS:
        message = 'expected "count/window" such as "3/10m", count 1 to 1000'
        raise ValueError(message)
    return Window(int(found[1]), _seconds(found[2]))


def _seconds(value: Any) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
    if not found or not int(found[1]):
        message = 'expected a length of time such as "30s" or "5m"'
        raise ValueError(message)
    return float(int(found[1]) * UNITS[found[2]])
