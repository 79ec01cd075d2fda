"""The evidence that a history holds: a log-likelihood ratio in nats, how much better it fits an attack than people.

Called by fraud.rules.history. Pure.

People read their codes at their country's usual rate, most within a minute; who pumps hardly ever does. A send
whose code was read speaks for people, one that is old and unread for an attack, a young one for neither
yet. The sum starts again whenever it falls below zero (Page's CUSUM), so that a good past buys nothing.
After a block it starts again a little below the threshold: one more unread code, and the block is back.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache

import msgspec

from service.fraud.histories.history import HOUR, History

# How long people take to type their code: nobody less than the one, two thirds of the others the other after that (s).
FIRST, READING = 8, 20.0
# And nobody does who has not after this many.
OLD = 250
# Old evidence fades: to a third within this many seconds (three days).
FADING = 259_200.0
# How often an attacker's codes are read; and where nearly all of a subject must be attack before it is one.
ATTACK_READS = 0.1
HARDLY_READS = 0.03
# What is assumed of a country of which little is known, and within which its own rate is believed.
USUAL_READS = 0.6
KNOWN_AFTER = 30.0
LEAST_READS, MOST_READS = 0.5, 0.85
# How far below the threshold a sum starts again after a block (nats): less than one unread code; for a whole country,
# which has more people than attackers, less than three.
BELOW, BELOW_COUNTRY = 0.5, 2.0
# A country rings for its ranges as long as it was asked for within this many seconds: half an hour.
RECENT = 1800.0
# A subject that reads by so much more than a third of its codes of a day needs ln 2 more evidence (see threshold): it
# has as many chances more. A range needs it sooner: few people have numbers in one.
HEALTHY, HEALTHY_RANGE = 10.0, 0.5


class Measure(msgspec.Struct, frozen=True):
    """How a history is measured. `above`: the threshold, before what a healthy subject has more.

    `usual`: the share of codes that people read; `reads`: that attackers do; `part`: the marks of one part of the
    subject, 0 for none; `most`: what one part may add (nats), so that a subject is judged by more than one of them;
    `below`: how far below the threshold the sum starts again after a block; `oldest`: the age (seconds) beyond which
    nothing counts; `first`: the age before which nobody reads.
    """

    above: float
    usual: float
    reads: float = ATTACK_READS
    part: int = 0
    most: float = math.inf
    below: float = BELOW
    oldest: float = math.inf
    first: int = FIRST


def usual_reads(country: History | None) -> float:
    """Return the share of codes that is usually read in a country, to a hundredth.

    Of the days before this one, once there are any.
    """
    if country is None:
        return USUAL_READS
    sends = max(0.0, country.long_sends - country.day_sends)
    good = max(0.0, country.long_good - country.day_good)
    share = (good + USUAL_READS * KNOWN_AFTER) / (sends + KNOWN_AFTER)
    return min(MOST_READS, max(LEAST_READS, round(share, 2)))


def threshold(history: History, above: float, healthy: float = HEALTHY) -> float:
    """Return how much evidence (nats) this subject needs: a busy and healthy one more, as it has more bad luck."""
    return above + math.log1p(max(0.0, 1.5 * history.day_good - 0.5 * history.day_sends) / healthy)


def unread(history: History, measure: Measure) -> float:
    """Return the evidence (nats) that the codes of a history are not read by people."""
    usual, reads = measure.usual, measure.reads
    good, old = math.log(reads / usual), math.log((1 - reads) / (1 - usual))
    again = measure.above - measure.below
    lifted = -1.0 if history.lifted is None else history.lifted
    part_size, most, exp = measure.part, measure.most, math.exp
    total, since, parts = 0.0, False, dict[int, float]()
    count = bisect_right(history.ages, measure.oldest)
    sends = zip(history.ages[:count], history.marks, history.goods, strict=False)
    for age, mark, read in reversed(list(sends)):
        if age < lifted and not since:
            total, since = min(total, again), True
        if read:
            speaks = good
        elif age > OLD or (since and age > 0):
            speaks = old
        else:
            speaks = _young(age - measure.first, usual, reads)
        if age >= HOUR:
            speaks *= exp(-age / FADING)
        if part_size:
            held = parts.get(part := mark // part_size, 0.0)
            speaks = speaks if held + speaks <= most else most - held
            parts[part] = max(0.0, held + speaks)
        # Not max(): for each of 48 sends in each of six histories, its call is a good part of a decision.
        total += speaks
        if total < 0.0:  # noqa: PLR1730
            total = 0.0
    return total if since or lifted < 0 else min(total, again)


@lru_cache(maxsize=1 << 16)
def _young(age: int, usual: float, reads: float) -> float:
    seen = -math.expm1(-max(0, age) / READING)
    return math.log((1 - reads * seen) / (1 - usual * seen))


def crowded(history: History, expected: float, most: float) -> float:
    """Return the evidence (nats, `most` at most) that more ask within an hour than do there.

    `expected`: how many an hour are no surprise; those who read (twice), and the history's own fortnight, raise it.
    After a block there is none: who comes then is judged by his code.
    """
    if history.lifted is not None:
        return 0.0
    recent = [good for age, good in zip(history.ages, history.goods, strict=True) if age < HOUR]
    read = sum(recent)
    usual = max(expected, 3 * history.long_sends / (14 * 24), 2.0 * read)
    return min(most, max(0.0, (len(recent) - read) * math.log(8) - 7 * usual))
