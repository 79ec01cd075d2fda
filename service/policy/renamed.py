"""Settings that had another name before, or are gone: a file that has them is still read, and a sentence says so.

Called by policy.loading. Moves values to their new names; never decides which of two counts.
"""

from __future__ import annotations

from typing import Any

Table = dict[str, Any]

# The old name of each setting that release 0.1.0 knew, by its table.
RENAMED: dict[str, dict[str, str]] = {
    "rules.sequential": {"above": "above_log10", "stride": "numbers_at_one_distance"},
    "rules.range": {
        "above": "above_nats",
        "least": "least_unconverted_nats",
        "part": "most_nats_per_tenth",
    },
    "rules.country_conversion": {
        "above": "above_nats",
        "part": "most_nats_per_million",
        "calm": "alarm_above_nats",
        "alarm": "most_alarm_nats",
    },
    "rules.country_spike": {
        "least": "above_sends",
        "of_peak": "above_share_of_peak",
        "of_read": "above_share_of_converted",
    },
    "rules.ip_conversion": {"above": "above_nats"},
    "rules.burst": {
        "above": "above_nats",
        "rush": "above_per_minute",
    },
    "rules.unverified_share": {"least": "least_numbers", "above": "above_share"},
    "alerts": {
        "a_minute": "above_sends_per_minute",
        "spike": "spike_above_times_usual",
        "spike_least": "spike_above_sends_per_minute",
        "conversion": "conversion_below_share",
        "conversion_least": "conversion_least_sends",
    },
}

# Settings without an effect since 0.2.0, by any name that they had: what they weighed did not stop more attacks.
GONE: dict[str, tuple[str, ...]] = {
    "rules.range": (
        "crowd", "most_crowding_nats", "block_10k", "usual_per_hour_10k", "block_100k", "usual_per_hour_100k",
        "block_1m", "usual_per_hour_1m",
    ),
    "rules.ip_conversion": ("crowd", "most_crowding_nats", "an_hour", "usual_per_hour"),
    "rules.burst": ("crowd", "most_crowding_nats", "an_hour", "usual_per_hour"),
}  # fmt: skip


def drop_gone(tables: Table, where: str) -> list[str]:
    """Take out, in place, the settings that have no effect any more; return their paths."""
    found = [(path, name) for path, names in GONE.items() for name in names if name in _find(tables, path)]
    for path, name in found:
        del _find(tables, path)[name]
    return [f"{where}{path}.{name}" for path, name in found]


def rename(tables: Table, where: str, moved: dict[str, str], mistakes: list[str]) -> None:
    """Give settings their new names, in place, and note the old path of each by its new one.

    `where`: the path of the tables, with its last dot. Both names of one setting are a mistake.
    """
    for path, names in RENAMED.items():
        table = _find(tables, path)
        for old, new in names.items():
            if old not in table:
                continue
            value = table.pop(old)
            if new in table:
                mistakes.append(
                    f"{where}{path}.{old}: is the old name of {new}, which is set as well; leave this one out"
                )
            else:
                table[new] = value
                moved[f"{where}{path}.{new}"] = f"{where}{path}.{old}"


def _find(tables: Table, path: str) -> Table:
    found: Any = tables
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
