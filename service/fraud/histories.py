"""The histories that a send is weighed against, and the evidence that they hold.

Called by fraud.history_rules. Pure: histories come as values, time as ages.

Evidence is a log-likelihood ratio in nats: how much better what was seen fits an attack than people. People
read their codes at their country's usual rate, most within a minute; who pumps hardly ever does. A send
whose code was read speaks for people, one that is old and unread for an attack, a young one for neither
yet. The sum starts again whenever it falls below zero (Page's CUSUM), so that a good past buys nothing.
After a block it starts again a little below the threshold: one more unread code, and the block is back.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Literal

import msgspec

Kind = Literal["block_10k", "block_100k", "block_1m", "country", "ip", "network", "device"]

# Digits of a number that tell it from others in its range.
RANGES: dict[Kind, int] = {"block_10k": 4, "block_100k": 5, "block_1m": 6}
# By how many marks the parts of a subject are told apart: a range's tenths, a country's ranges of a million.
PARTS: dict[str, int] = {"block_100k": 10_000, "block_1m": 100_000, "country": 1 << 21}
# Fewer unread neighbours than this are a family.
LEAST_GROUP = 4
# How long people take to type their code: two thirds within this many seconds.
READING = 25.0
# And nobody does who has not after this many.
OLD = 10 * READING
# Old evidence fades: to a third within this many seconds (three days).
FADING = 259_200.0
HOUR = 3600
DAY = 86_400
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
# A subject where this many read their codes in a day needs ln 2 more evidence: it has as many chances more.
HEALTHY = 10.0


class History(msgspec.Struct, frozen=True, array_like=True):
    """The newest sends of one subject, newest first, this one included; counts that fade; a block in force.

    `ages` in seconds; `goods`: whether the code was read; day (24 h), long and peak (14 days) are faded counts.
    `lifted`: seconds since the last block of a day ended. `firm`: the block in force is an operator's.
    """

    ages: list[int]
    marks: list[int]
    goods: list[bool]
    day_sends: float
    day_good: float
    long_sends: float
    long_good: float
    peak: float
    block: int | None
    lifted: float | None = None
    firm: bool = False


class Measure(msgspec.Struct, frozen=True):
    """How a history is measured. `above`: the threshold, before what a healthy subject has more.

    `usual`: the share of codes that people read; `reads`: that attackers do; `part`: the marks of one part of the
    subject, 0 for none; `most`: what one part may add (nats), so that a subject is judged by more than one of them;
    `below`: how far below the threshold the sum starts again after a block; `oldest`: the age (seconds) beyond which
    nothing counts.
    """

    above: float
    usual: float
    reads: float = ATTACK_READS
    part: int = 0
    most: float = math.inf
    below: float = BELOW
    oldest: float = math.inf


def usual_reads(country: History | None) -> float:
    """Return the share of codes that is usually read in a country: of the days before this one, once there are any."""
    if country is None:
        return USUAL_READS
    sends = max(0.0, country.long_sends - country.day_sends)
    good = max(0.0, country.long_good - country.day_good)
    share = (good + USUAL_READS * KNOWN_AFTER) / (sends + KNOWN_AFTER)
    return min(MOST_READS, max(LEAST_READS, share))


def threshold(history: History, above: float) -> float:
    """Return how much evidence (nats) this subject needs: a busy and healthy one more, as it has more bad luck."""
    return above + math.log1p(history.day_good / HEALTHY)


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
            speaks = _young(age, usual, reads)
        if age >= HOUR:
            speaks *= exp(-age / FADING)
        if part_size:
            held = parts.get(part := mark // part_size, 0.0)
            speaks = speaks if held + speaks <= most else max(0.0, most - held)
            parts[part] = max(0.0, held + speaks)
        # Not max(): for each of 48 sends in each of six histories, its call is a good part of a decision.
        total += speaks
        if total < 0.0:  # noqa: PLR1730
            total = 0.0
    return total if since or lifted < 0 else min(total, again)


def _young(age: int, usual: float, reads: float) -> float:
    seen = -math.expm1(-age / READING)
    return math.log((1 - reads * seen) / (1 - usual * seen))


def crowded(history: History, expected: float, most: float) -> float:
    """Return the evidence (nats, `most` at most) that more ask within an hour than do there.

    `expected`: how many an hour are no surprise; those who read, and the history's own fortnight, raise it. After a
    block there is none: who comes then is judged by his code.
    """
    if history.lifted is not None:
        return 0.0
    recent = [good for age, good in zip(history.ages, history.goods, strict=True) if age < HOUR]
    read = sum(recent)
    usual = max(expected, 3 * history.long_sends / (14 * 24), float(read))
    return min(most, max(0.0, (len(recent) - read) * math.log(8) - 7 * usual))


def is_known(history: History) -> bool:
    """Say whether this send's own number read a code before, by its mark."""
    own = history.marks[0]
    if not history.goods[0] and history.marks.count(own) == 1:
        return False  # as nearly always, and it is asked of each of a send's histories
    return any(good and mark == own for mark, good in zip(history.marks, history.goods, strict=True))


def aligned(history: History, size: int) -> float:
    """Return how unlikely it is that unread numbers of a day lie so close by chance, as -log10.

    Of n numbers drawn from `size`, about n * C(n-1, k-1) * (w/size)^(k-1) groups of k lie within w. The least
    likely group counts, unless a quarter of those within it read their codes: a family, an office.
    """
    unread_marks = sorted(set(_unread_marks(history)))
    read_marks = [mark for mark, good in zip(history.marks, history.goods, strict=True) if good]
    best = 0.0
    for count in range(LEAST_GROUP, len(unread_marks) + 1):
        reach = count - 1
        span, first = min(
            (last - first, first) for first, last in zip(unread_marks, unread_marks[reach:], strict=False)
        )
        unlikely = _unlikely(count, span + 1, size, len(unread_marks))
        if unlikely > best and sum(1 for mark in read_marks if first <= mark <= first + span) * 3 < count:
            best = unlikely
    return best


def _unread_marks(history: History) -> list[int]:
    return [
        m for m, age, good in zip(history.marks, history.ages, history.goods, strict=True) if age < DAY and not good
    ]


def _unlikely(count: int, span: int, size: int, total: int) -> float:
    ways = math.log10(total) + _log10_choose(total - 1, count - 1)
    return -(ways + (count - 1) * math.log10(span / size))


def _log10_choose(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10)


def stride(history: History) -> int:
    """Return how many of the newest unread numbers follow one another at one and the same distance."""
    marks = _unread_marks(history)
    steps = [newer - older for newer, older in pairwise(marks)]
    run = 0
    while run < len(steps) and steps[run] == steps[0] != 0:
        run += 1
    return run + 1 if run else min(1, len(marks))


def numbers_of(history: History) -> tuple[int, int]:
    """Return for how many numbers a code was asked within a day, and for how many of them none was read."""
    day = [(m, good) for m, age, good in zip(history.marks, history.ages, history.goods, strict=True) if age < DAY]
    return len({mark for mark, _ in day}), len({mark for mark, good in day if not good})


def countries_of(history: History) -> int:
    """Return to how many calling codes an address asked within a day without a code being read."""
    return len({mark >> 21 for mark in _unread_marks(history)})
