"""The site's reference: every setting, value of the policy, metric and alert, from the code, with unit and reason.

Called by hooks.py and by tests/project/test_docs_site.py, which checks that none is missing and none without its words.
What a reason says stands on other pages; nothing here is committed twice.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import msgspec
from prometheus_client.metrics import MetricWrapperBase

from service import telemetry
from service.operators.records import ALERT_KINDS
from service.policy.loading import default_text
from service.policy.model import Policy
from service.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
# By what the name of a number contains, the first that fits.
UNITS = {
    "nats": "nats", "share": "share, 0 to 1", "score": "score", "confidence.below": "score, 0 to 1",
    "sends_per_minute": "sends a minute", "per_minute": "requests a minute", "times": "times",
    "log10": "-log10 of a chance",
    "deviations": "standard deviations", "least_requests": "requests", "sends": "sends", "numbers": "numbers",
    "many_countries": "countries", "codes": "codes", "code_length": "digits", "unconverted_least": "sends",
    "budgets.": "the currency of the prices, a day", "prices.": "the currency of the prices, a send",
    "KEEP_ALIVE": "seconds", "MAX_BACKLOG": "seconds", "MAX_SENDS": "sends", "CONNECTIONS": "connections",
    "POOL_SIZE": "connections", "PORT": "port", "MAX_UNKNOWN": "webhooks",
}  # fmt: skip
KINDS = {
    "Window": "count/time: requests, codes or calls", "SecondsOrOff": "time, or off", "Seconds": "time",
    "Moment": "date, UTC",
    "bool": "true or false", "HttpUrl": "address", "IPSet": "networks", "bytes": "key, base64", "str": "text",
}  # fmt: skip
LISTS = {"allow": "countries, ISO 3166 alpha-2", "order": "channels", "kinds": "kinds of number"}


# Columns of the tables in metrics.md and operations.md.
OF_METRIC, OF_ALERT = 5, 2


class Entry(NamedTuple):
    """One thing that can be set, seen or rung. `reason`: what it is for, or why it is so."""

    name: str
    default: str
    unit: str
    reason: str


def write_reference() -> str:
    """Write the page."""
    parts = [
        "# Reference\n\nEvery setting, value of the policy, metric and alert of this version, as the code has them.\n",
        "## Settings\n\nFrom the environment. More on [some of them](settings.md).\n",
        _table("Setting", list_settings()),
        "## Policy\n\nFrom POLICY_FILE, over what ships. The figures behind the rules are in [fraud.md](fraud.md).\n",
    ]
    entries = list_policy()
    for table, text in read_tables().items():
        rows = [entry for entry in entries if entry.name.rpartition(".")[0] == table]
        if rows:
            why = f"{rows[0].reason}\n" if table.startswith("rules.") else ""
            parts += [
                f"### `[{table}]`\n",
                why,
                _table("Value", rows, reasons=False),
                f"```toml\n{text.strip()}\n```\n",
            ]
    parts += [
        "## Metrics\n\n[metrics.md](metrics.md) has their labels.\n", _table("Metric", list_metrics(), "Type"),
        "## Alerts\n\nWhere they go: [operations.md](operations.md#alerts).\n",
        _table("Alert", list_alerts(), "Thresholds"),
    ]  # fmt: skip
    return "\n".join(parts)


def list_settings() -> list[Entry]:
    """List what the environment sets."""
    told = dict(_rows("settings.md", r"[A-Z_, ]+"))
    words = {name: row for names, row in told.items() for name in names.split(", ")}
    found = []
    for field, info in Settings.model_fields.items():
        name = field.upper()
        default = "required" if info.is_required() else _plain(info.default)
        found.append(Entry(name, default, _unit_of(name, str(info.annotation), info.default), words[name][-1]))
    return found


def list_policy() -> list[Entry]:
    """List every value of the shipped policy."""
    rules = {
        rule: f"Ships as {row[-1]}. Whom it can stop: {row[1]}."
        for names, row in _rows("fraud.md", r"`[a-z_`, ]+") if row[-1].startswith(("enforce", "observe"))
        for rule in re.findall(r"`(\w+)`", names)
    }  # fmt: skip
    comments = {table: _comments(text) for table, text in read_tables().items()}
    found = []
    for path, value in _leaves(tomllib.loads(default_text())):
        name, table = ".".join(path), ".".join(path[:-1])
        # Sentences run on from one value to the next, so they are told together, with the table.
        reason = rules.get(path[1], "") if path[0] == "rules" else ""
        around = comments.get(table) or comments.get(path[0], "")
        unit = _unit_of(name, _annotation(path), value)
        found.append(Entry(name, msgspec.json.encode(value).decode(), unit, reason or around))
    return found


def list_metrics() -> list[Entry]:
    """List what /metrics shows."""
    words = {names.strip("`"): row for names, row in _rows("metrics.md", r"`verify_\w+`") if len(row) == OF_METRIC}
    made = [one for one in vars(telemetry).values() if isinstance(one, MetricWrapperBase)]
    names = [one._name + ("_total" if one._type == "counter" else "") for one in made]  # noqa: SLF001 (it has no other)
    return [Entry(name, words[name][1], words[name][3], words[name][4]) for name in names]


def list_alerts() -> list[Entry]:
    """List the kinds of alert, with the thresholds that their texts name."""
    words = {names.strip("`"): row for names, row in _rows("operations.md", r"`[a-z_]+`") if len(row) == OF_ALERT}
    policy = {entry.name.removeprefix("alerts."): entry for entry in list_policy() if entry.name.startswith("alerts.")}
    found = []
    for kind in ALERT_KINDS:
        named = [policy[name] for name in re.findall(r"`(\w+)`", words[kind][1]) if name in policy]
        thresholds = "; ".join(f"{entry.name.removeprefix('alerts.')} = {entry.default}" for entry in named)
        units = "; ".join(dict.fromkeys(entry.unit for entry in named))
        found.append(Entry(kind, thresholds or "none: each rings", units or "incidents", words[kind][1]))
    return found


def read_tables() -> dict[str, str]:
    """Return the text of each table of the shipped policy, with its comments."""
    pieces = re.split(r"(?m)^\[([\w.]+)\]", default_text())
    return {name: f"[{name}]{text}" for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def _comments(text: str) -> str:
    return " ".join(found.strip() for found in re.findall(r"(?m)#\s*(.+)$", text))


def _leaves(table: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _annotation(path: tuple[str, ...]) -> str:
    """Return the type of a value of the policy, as the model has it."""
    kind: Any = Policy
    for name in path:
        hints = get_type_hints(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else {}
        kind = hints.get(name, kind)
    return str(kind)


def _unit_of(name: str, annotation: str, value: object) -> str:
    leaf = name.rpartition(".")[2]
    if leaf in LISTS or name.startswith("countries."):
        return LISTS.get(leaf, LISTS["allow"])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_number(name)
    if choices := re.search(r"Literal\[([^\]]+)\]", annotation):
        return "one of " + choices[1].replace("'", "")
    if "Optional[typing.Annotated[int" in annotation or annotation.startswith("int"):
        return _of_number(name)
    found = [unit for kind, unit in KINDS.items() if kind in annotation or kind == type(value).__name__]
    return found[0] if found else ""


def _of_number(name: str) -> str:
    places = (name.rpartition(".")[2], name)
    return next((unit for place in places for part, unit in UNITS.items() if part in place), "")


def _plain(value: object) -> str:
    if value is None or value == [] or str(value) == "IPSet([])":
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removeprefix("IPSet(['").removesuffix("'])")


def _rows(page: str, first: str) -> Iterator[tuple[str, list[str]]]:
    """Return the rows of a page's tables whose first cell is like this, with all cells."""
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
        whole = line.replace("](#", f"]({page}#")  # a link within its page is one to it from here
        cells = [cell.strip() for cell in whole.strip("|").split(" |")] if line.startswith("|") else []
        if cells and re.fullmatch(first, cells[0]):
            yield cells[0], cells


def _table(what: str, entries: list[Entry], default: str = "Default", *, reasons: bool = True) -> str:
    rows = [(what, default, "Unit", "What it is for"), ("---",) * 4]
    rows += [(f"`{one.name}`", one.default, one.unit, one.reason) for one in entries]
    width = 4 if reasons else 3
    return "\n".join("| " + " | ".join(map(_cell, row[:width])) + " |" for row in rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
