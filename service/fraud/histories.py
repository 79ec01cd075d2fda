"""The histories that a send is weighed against, and the evidence that they hold.

Called by fraud.history_rules. Pure: histories come as values, time as ages.

Evidence is a log-likelihood ratio in nats: how much better what was seen fits an attack than people. People
read their codes at their country's usual rate, most within a minute; who pumps hardly ever does. A send
whose code was read speaks for people, one that is old and unread for an attack, a young one for neither
yet. The sum starts again whenever it falls below zero (Page's CUSUM), so that a good past buys nothing.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import msgspec

Kind = Literal["block_10k", "block_100k", "block_1m", "country", "ip", "device"]

# Digits of a number that tell it from others in its range.
RANGES: dict[Kind, int] = {"block_10k": 4, "block_100k": 5, "block_1m": 6}
# Fewer unread neighbours than this are a family.
LEAST_GROUP = 4
# How long people take to type their code: two thirds within this many seconds.
READING = 30.0
# Old evidence fades: to a third within this many seconds (three days).
FADING = 259_200.0
HOUR = 3600
DAY = 86_400
# How often an attacker's codes are read, and what is assumed of a country of which little is known.
ATTACK_READS = 0.1
USUAL_READS = 0.6
KNOWN_AFTER = 30.0
LEAST_READS, MOST_READS = 0.35, 0.85


class History(msgspec.Struct, frozen=True, array_like=True):
    """The newest sends of one subject, newest first, this one included; counts that fade; a block in force.

    `ages` in seconds; `goods`: whether the code was read; day (24 h), long and peak (14 days) are faded counts.
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


def usual_reads(country: History | None) -> float:
    """Return the share of codes that is usually read in a country: its own, once enough is known of it."""
    if country is None:
        return USUAL_READS
    share = (country.long_good + USUAL_READS * KNOWN_AFTER) / (country.long_sends + KNOWN_AFTER)
    return min(MOST_READS, max(LEAST_READS, share))


def unread(history: History, usual: float) -> float:
    """Return the evidence (nats) that the codes of a history are not read by people."""
    read, old = math.log(ATTACK_READS / usual), math.log((1 - ATTACK_READS) / (1 - usual))
    total = 0.0
    for age, good in zip(reversed(history.ages), reversed(history.goods), strict=True):
        speaks = read if good else old if age > 10 * READING else _young(age, usual)
        total = max(0.0, total + (speaks if age < HOUR else math.exp(-age / FADING) * speaks))
    return total


def _young(age: int, usual: float) -> float:
    seen = -math.expm1(-age / READING)
    return math.log((1 - ATTACK_READS * seen) / (1 - usual * seen))


def crowded(history: History, expected: float, most: float) -> float:
    """Return the evidence (nats, `most` at most) that more ask within an hour than do there.

    `expected`: how many an hour are no surprise; the history's own fortnight raises it.
    """
    asked = sum(1 for age, good in zip(history.ages, history.goods, strict=True) if age < HOUR and not good)
    usual = max(expected, 3 * history.long_sends / (14 * 24))
    return min(most, max(0.0, asked * math.log(8) - 7 * usual))


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


def countries_of(history: History) -> int:
    """Return to how many calling codes an address asked within a day without a code being read."""
    return len({mark >> 21 for mark in _unread_marks(history)})
