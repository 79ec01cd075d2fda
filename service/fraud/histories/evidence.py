"""The evidence in a history: a log-likelihood ratio in nats, how much better it fits an attack than people.

Called by fraud.rules.history. Pure.

People enter their codes at their country's usual rate, most within a minute; attackers hardly ever do. A converted
send speaks for people, an old unconverted one for an attack, a young one for neither yet. The sum starts again
whenever it falls below zero (Page's CUSUM), so that a good past buys nothing. After a block it starts again a little
below the threshold: one or two more unconverted sends, and the block is back.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache

import msgspec

from service.fraud.histories.history import HOUR, History

# How long people take to enter their code (s): nobody less than FIRST, and two thirds have ENTERING later.
FIRST, ENTERING = 8, 20.0
# Nobody enters a code later than this.
OLD = 250
# Old evidence fades: to a third within this many seconds (three days).
FADING = 259_200.0
# The share of an attacker's sends that convert; and for subjects that are attacks only if nearly all of them is.
ATTACK_CONVERSION = 0.1
HARDLY_ANY_CONVERSION = 0.03
# The rate assumed for a country of which little is known, and the bounds within which its own rate is believed.
USUAL_CONVERSION = 0.6
KNOWN_AFTER = 30.0
LEAST_CONVERSION, MOST_CONVERSION = 0.5, 0.85
# How far below the threshold a sum starts again after a block, in unconverted sends: one blocks again, and two where
# any send converted. Three for a whole country, which has more people than attackers.
BELOW, BELOW_CONVERTED, BELOW_COUNTRY = 0.65, 1.5, 2.5
# Only sends of this last half hour (seconds) count for a country's alarm.
RECENT = 1800.0
# A subject whose day has so many more converted sends than a third of all needs ln 2 more evidence (see threshold),
# because it has more chances of bad luck.
HEALTHY = 10.0


# The size of a part, where a subject has no parts: all of its marks are in one.
WHOLE = 1 << 64


class Measure(msgspec.Struct, frozen=True):
    """How a history is measured. `above`: the threshold, before the addition for a healthy subject.

    `usual`: the share of people's sends that convert; `attack`: of attackers'; `part`: the marks of one part of the
    subject, 0 for none; `most`: what one part may contribute (nats), so that a subject is judged by several of them;
    `below`: how far below the threshold the sum starts again after a block, in unconverted sends, at least; `oldest`:
    the age (seconds) beyond which nothing counts.
    """

    above: float
    usual: float
    attack: float = ATTACK_CONVERSION
    part: int = 0
    most: float = math.inf
    below: float = BELOW
    oldest: float = math.inf


def usual_conversion(country: History | None) -> float:
    """Return the share of a country's sends that usually convert, to a hundredth: of the days before today, if any."""
    if country is None:
        return USUAL_CONVERSION
    sends = max(0.0, country.long_sends - country.day_sends)
    converted = max(0.0, country.long_converted - country.day_converted)
    share = (converted + USUAL_CONVERSION * KNOWN_AFTER) / (sends + KNOWN_AFTER)
    return min(MOST_CONVERSION, max(LEAST_CONVERSION, round(share, 2)))


def threshold(history: History, above: float) -> float:
    """Return how much evidence (nats) this subject needs: more for a busy and healthy one, which has more bad luck."""
    return above + math.log1p(max(0.0, 1.5 * history.day_converted - 0.5 * history.day_sends) / HEALTHY)


def unconverted_evidence(history: History, measure: Measure) -> float:
    """Return the evidence (nats) of a history's unconverted sends."""
    usual, attack, exp = measure.usual, measure.attack, math.exp
    done, old = _settled(usual, attack)
    below = max(measure.below, BELOW_CONVERTED) if any(history.converted) else measure.below
    again = measure.above - below * old
    lifted = -1.0 if history.lifted is None else history.lifted
    size, most = (measure.part, measure.most) if measure.part else (WHOLE, math.inf)
    total, since = 0.0, False
    parts: dict[int, float] = {}
    count = bisect_right(history.ages, measure.oldest)
    sends = zip(history.ages[:count], history.marks, history.converted, strict=False)
    # This is done for each of 48 sends in each of six histories: a good part of a decision's cost.
    for age, mark, converted in reversed(list(sends)):
        if age < lifted and not since:
            total, since = min(total, again), True
        held = parts.get(part := mark // size, 0.0)
        if converted and not total and not held:
            continue  # there is nothing that it could speak against
        if converted:
            speaks = done
        elif age > OLD or (since and age > 0):
            speaks = old
        else:
            speaks = _young(age - FIRST, usual, attack)
        if age >= HOUR:
            speaks *= exp(-age / FADING)
        if held + speaks > most:
            speaks = most - held
        parts[part] = max(0.0, held + speaks)
        total = max(0.0, total + speaks)
    return total if since or lifted < 0 else min(total, again)


@lru_cache(maxsize=1 << 10)
def _settled(usual: float, attack: float) -> tuple[float, float]:
    """Return what a converted send says, and an old one that is not."""
    return math.log(attack / usual), math.log((1 - attack) / (1 - usual))


@lru_cache(maxsize=1 << 16)
def _young(age: int, usual: float, attack: float) -> float:
    seen = -math.expm1(-max(0, age) / ENTERING)
    return math.log((1 - attack * seen) / (1 - usual * seen))
