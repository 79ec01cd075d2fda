"""What is unusual in the whole service's traffic: too much, more than usual, or unconverted.

Called by alarms. Pure: the counts come from the database, the thresholds from the policy.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from service.policy.model import AlertRules

# What the counts are taken over.
SPANS: dict[str, Any] = {
    "recent": timedelta(minutes=5),  # sends a minute now
    "usual": timedelta(minutes=30),  # sends a minute before and after this time of day, on each of `days` before
    "days": 7,
    "settled": timedelta(minutes=12),  # the age at which a minute's verifications have all ended: they live 10 at most
    "window": timedelta(hours=1),  # codes of settled minutes, and those of them that were entered
    "caught_up": timedelta(minutes=20),  # minutes at which nobody looked are written later, while they are so young
}


class Traffic(NamedTuple):
    """Sends of the last 60 s; sends a minute over the last five, and usually; an hour's codes, and those entered."""

    sent: int
    recent: float | None
    usual: float | None
    hour_sent: int
    hour_read: int


def find_unusual(traffic: Traffic, rules: AlertRules) -> dict[str, str]:
    """Return a sentence for each kind of unusual traffic."""
    found = {
        "volume": _check_volume(traffic, rules),
        "spike": _check_spike(traffic, rules),
        "conversion": _check_conversion(traffic, rules),
    }
    return {kind: text for kind, text in found.items() if text is not None}


def _check_volume(traffic: Traffic, rules: AlertRules) -> str | None:
    if traffic.sent <= rules.above_sends_per_minute:
        return None
    return f"{traffic.sent:,} codes were sent within a minute; more than {rules.above_sends_per_minute:,} ring."


def _check_spike(traffic: Traffic, rules: AlertRules) -> str | None:
    recent, usual = traffic.recent or 0.0, traffic.usual
    if usual is None or recent <= max(rules.spike_above_sends_per_minute, rules.spike_above_times_usual * usual):
        return None
    return f"{recent:,.0f} codes a minute over the last five; at this time of day {usual:,.1f} are usual."


def _check_conversion(traffic: Traffic, rules: AlertRules) -> str | None:
    sent, converted = traffic.hour_sent, traffic.hour_read
    if sent < rules.conversion_least_sends or converted >= rules.conversion_below_share * sent:
        return None
    below = rules.conversion_below_share
    return f"{converted / sent:.0%} of the {sent:,} codes of an hour were entered; less than {below:.0%} rings."
