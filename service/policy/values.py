"""The values of a policy, read one by one so that every mistake is found, and their bounds.

Called by policy.loading, and by api and cli, which read some of the same kinds. A mistake is "path: reason".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time
from typing import Any, Literal, get_args, get_origin

import msgspec

from service.channels import CHANNELS, Channel
from service.phone import is_country
from service.policy.units import Moment, Seconds, SecondsOrOff, Window
from service.uuids import is_uuid

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MOST_HITS = 1000
MOST_MONEY = 1e9
# Counters are kept for as long as this (worker.retention): a longer window would lose hits.
LONGEST_WINDOW = 30 * 86400.0
# A time so far ahead of any row is still a valid date.
LONGEST_TIME = 365 * 86400.0
BY_CHANNEL = "by_channel"
# What is outside is a typing mistake, and PostgreSQL takes dates that Python cannot read.
FIRST_YEAR, LAST_YEAR = 2000, 2199
NO_MOMENT = 'expected a date such as 2026-12-01, or a time such as 2026-12-01T09:00:00Z; "" for none'

Check = Callable[[Any], str | None]


def read_value(kind: Any, value: Any, path: str, mistakes: list[str]) -> Any:
    """Read one value, or a table with all its values, as the given type; None if there is a mistake, which is noted."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _read_table(kind, value, path, mistakes)
    if kind == list[Window] and isinstance(value, str):
        value = [value]  # a single window may stand without its list
    try:
        read = msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        mistakes.append(f"{path}: {_reason(kind, str(error))}")
        return None
    if isinstance(read, float) and not math.isfinite(read):
        mistakes.append(f"{path}: must be a number, and neither nan nor inf")
    elif path in CHECKS and (reason := CHECKS[path](read)) is not None:
        mistakes.append(f"{path}: {reason}")
    return read


def _read_table(kind: type[msgspec.Struct], table: Any, path: str, mistakes: list[str]) -> Any:
    if not isinstance(table, dict):
        mistakes.append(f"{path}: expected a table")
        return None
    before = len(mistakes)
    fields = _settings(kind)
    mistakes.extend(f"{_join(path, name)}: there is no such setting" for name in table if name not in fields)
    read = {
        name: read_value(fields[name], table[name], _join(path, name), mistakes) for name in fields if name in table
    }
    if len(mistakes) > before:
        return None
    if BY_CHANNEL in kind.__struct_fields__:
        read[BY_CHANNEL] = {channel: read.pop(channel) for channel in CHANNELS if channel in read}
    return kind(**read)


def _settings(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """List what may stand in a table, with its type: what is kept by channel stands there a channel a setting."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    by_channel = fields.pop(BY_CHANNEL, None)
    return fields if by_channel is None else fields | dict.fromkeys(CHANNELS, get_args(by_channel)[1])


def _most(seconds: float, text: str) -> Check:
    return lambda value: None if value <= seconds else f"must be at most {text}"


def _between(least: float, most: float) -> Check:
    return lambda value: None if least <= value <= most else f"must be {least} to {most}"


def _check_order(value: list[str]) -> str | None:
    return None if value and len(set(value)) == len(value) else "must name each channel once, and one at least"


def _check_countries(value: list[str]) -> str | None:
    unknown = [code for code in value if not is_country(code)]
    return f"{', '.join(unknown)}: must be ISO 3166 alpha-2 codes such as US" if unknown else None


def _check_prices(value: dict[str, dict[Channel, float]]) -> str | None:
    prices = [price for listed in value.values() for price in listed.values()]
    return _check_countries(list(value)) or _check_amounts(prices)


def _check_budgets(value: dict[str, float]) -> str | None:
    return _check_countries(list(value)) or _check_amounts(value.values())


def _check_counts(value: dict[str, float]) -> str | None:
    wrong = any(not 0 <= count <= MOST_MONEY for count in value.values())
    return _check_countries(list(value)) or ("must be how many sends, 0 or more" if wrong else None)


def _check_amount(value: float) -> str | None:
    return _check_amounts([value])


def _check_amounts(values: Iterable[float]) -> str | None:
    return None if all(0 <= value <= MOST_MONEY for value in values) else "must be an amount of money, 0 or more"


def _check_profile(value: str) -> str | None:
    return None if not value or is_uuid(value) else "must be the id of a Verify profile, a UUID"


def _check_app_name(value: str) -> str | None:
    allowed = re.fullmatch(r"[A-Za-z0-9 -]{0,30}", value)
    return None if allowed else "must have at most 30 letters without accents, digits, spaces and -"


def _check_template(value: str) -> str | None:
    return None if not value or is_uuid(value) else "must be the id of a template, a UUID"


# Bounds of values that have the right type.
CHECKS: dict[str, Check] = {
    "lockout.codes_per_verification": _between(1, MOST_HITS),
    "verification.expires_after": _most(600.0, "10m"),
    "verification.longest": _most(600.0, "10m"),
    "verification.repeat_within": _most(60.0, "1m"),
    "verification.code_length": _between(4, 10),
    "fallback.order": _check_order,
    "countries.allow": _check_countries,
    **{f"countries.{channel}": _check_countries for channel in CHANNELS},
    "client.verify_profile_id": _check_profile,
    "client.app_name": _check_app_name,
    "client.messaging_template_id": _check_template,
    # Used events are remembered for a day longer than this (worker.retention).
    "rules.event_stale.after": _most(LONGEST_WINDOW, "30d"),
    "rules.event_bound.numbers": _between(1, 100),
    "rules.captcha.least_score": _between(0, 1),
    "rules.number_unconverted.codes": _between(1, MOST_HITS),
    **{f"prices.{channel}": _check_amount for channel in CHANNELS},
    "prices.countries": _check_prices,
    "budgets.everything": _check_amount,
    "budgets.each_country": _check_amount,
    "budgets.countries": _check_budgets,
    "budgets.unconverted_times_busiest": _between(0, 1000),
    "budgets.unconverted_least": _between(1, 10**9),
    "budgets.unconverted_countries": _check_counts,
    "alerts.drift_least_sends": _between(1, 10**9),
}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _reason(kind: Any, text: str) -> str:
    if text.startswith("Invalid enum value"):
        reason = f"must be one of {', '.join(list_choices(kind))}"
        return ": ".join([text.split("'")[1], reason]) if "at `key`" in text else reason
    reason = text.partition(" - at `$")[0]
    return f"{reason[:1].lower()}{reason[1:]}"


def list_choices(kind: Any) -> tuple[str, ...]:
    """Return the words that a type allows, whatever they stand in."""
    inner = get_args(kind)
    return inner if get_origin(kind) is Literal else next(filter(None, map(list_choices, inner)), ())


def _decode(kind: type, value: Any) -> Any:
    if kind is Window:
        return read_window(value)
    if kind is Seconds:
        return _seconds(value)
    if kind is SecondsOrOff:
        return SecondsOrOff(0.0 if value in ("off", "0s") else _seconds(value))
    if kind is Moment:
        return Moment(None if value == "" else _moment(value))
    raise NotImplementedError


def read_window(value: Any) -> Window:
    """Read a window such as 3/10m. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,7}[smhd])", str(value))
    if not found or not 1 <= int(found[1]) <= MOST_HITS or not 0 < _length(found[2]) <= LONGEST_WINDOW:
        message = 'expected "count/window" such as "3/10m", count 1 to 1000, window at most 30d'
        raise ValueError(message)
    return Window(int(found[1]), _length(found[2]))


def _seconds(value: Any) -> Seconds:
    if (seconds := read_seconds(value)) > LONGEST_TIME:
        message = "must be at most 365d"
        raise ValueError(message)
    return Seconds(seconds)


def _moment(value: Any) -> datetime:
    """Read a date, or a date with its time, as TOML writes them or as a text. Raises ValueError."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
        read = read if isinstance(read, datetime) else datetime.combine(read, time())
        at = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(NO_MOMENT) from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(NO_MOMENT)
    return at


def read_seconds(value: Any) -> float:
    """Read a length of time such as 30s or 5m. Raises ValueError."""
    found = re.fullmatch(r"[0-9]{1,7}[smhd]", str(value))
    if not found or not _length(found[0]):
        message = 'expected a length of time such as "30s" or "5m"'
        raise ValueError(message)
    return _length(found[0])


def _length(text: str) -> float:
    return float(int(text[:-1]) * UNITS[text[-1]])
