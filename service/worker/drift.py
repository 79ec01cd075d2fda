"""Whether a country's codes are entered less than usual: by more than chance, and than its days differ anyway.

Called by worker.countries. Pure: the counts come from the database, the thresholds from the policy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from service.policy.model import AlertRules

# How many hours are compared with the same ones of earlier days: a whole day, and the latest quarter of one. A part of
# a day is looked at more often and depends on more, so it must differ by so many more standard deviations.
DAY, QUARTER = 24, 6
MORE_FOR_QUARTER = 0.8
# A country's days differ by so much (standard deviation of the share), and as many days must say otherwise.
USUAL_SPREAD, KNOWN_AFTER = 0.01, 5
# A day with fewer sends says nothing of how days differ.
LEAST_OF_DAY = 30
# With fewer days beside those of an incident, those count too: what lasts for a fortnight has become usual.
LEAST_DAYS = 2


class Counts(NamedTuple):
    """Sends, and those of them that converted."""

    sends: int
    converted: int


class DayCounts(NamedTuple):
    """A country's counts of 24 hours, and of the last six of them. `ago`: in days; `alarmed`: part of an incident."""

    ago: int
    day: Counts
    quarter: Counts
    alarmed: bool = False


class Drift(NamedTuple):
    """What was entered, of which hours, and what usually is."""

    hours: int
    now: Counts
    usual: float


def find_drift(days: Iterable[DayCounts], rules: AlertRules) -> Drift | None:
    """Return how a country's share has fallen, if it has."""
    by_age = sorted(days)
    past = [one for one in by_age if one.ago > 0]
    calm = [one for one in past if not one.alarmed]
    past = calm if len(calm) >= LEAST_DAYS else past
    for latest in (one for one in by_age if one.ago == 0):
        for hours, now, before, more in (
            (DAY, latest.day, [one.day for one in past], 0.0),
            (QUARTER, latest.quarter, [one.quarter for one in past], MORE_FOR_QUARTER),
        ):
            usual = _usual_if_below(now, before, rules, rules.drift_deviations + more)
            if usual is not None:
                return Drift(hours, now, usual)
    return None


def _usual_if_below(now: Counts, before: Sequence[Counts], rules: AlertRules, deviations: float) -> float | None:
    sends = sum(one.sends for one in before)
    if min(now.sends, sends) < rules.drift_least_sends:
        return None
    usual = sum(one.converted for one in before) / sends
    below = usual - now.converted / now.sends
    if below < rules.drift_least_share:
        return None
    days = [one for one in before if one.sends >= LEAST_OF_DAY]
    chance = usual * (1 - usual) * (1 / now.sends + 1 / sends)
    spread = _spread(days, usual, sends) * (1 + 1 / max(1, len(days)))
    return usual if below > deviations * math.sqrt(chance + spread) else None


def _spread(days: Sequence[Counts], usual: float, sends: int) -> float:
    """Return the variance of a day's share beyond chance: what these days show, and what is assumed of few."""
    shown = 0.0
    for one in days:
        by_chance = usual * (1 - usual) * (1 / one.sends - 1 / sends)
        shown += (one.converted / one.sends - usual) ** 2 - by_chance
    return max(0.0, (KNOWN_AFTER * USUAL_SPREAD**2 + shown) / (KNOWN_AFTER + len(days)))
