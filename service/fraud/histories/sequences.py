"""Numbers that are too close together, or at equal distances: unlikely by chance.

Called by fraud.rules.history. Pure.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

from service.fraud.histories.history import History, unconverted_marks

# Fewer unconverted neighbours than this may be a family.
LEAST_GROUP = 4
STEPS = LEAST_GROUP - 1


def aligned(history: History, size: int, least: float = 0.0) -> float:
    """Return -log10 of the chance that a day's unconverted numbers lie so close together; 0 if not over `least`.

    Marks lie on a circle of `size`: the range's numbers, shifted. Of n numbers drawn from it, about
    n * C(n-1, k-1) * (w/size)^(k-1) groups of k lie within w. The least likely group counts, unless a quarter of those
    within it converted: a family, an office.
    """
    marks = sorted(set(unconverted_marks(history)))
    total = len(marks)
    if total < LEAST_GROUP:
        return 0.0
    marks += [mark + size for mark in marks[:-1]]
    converted_marks = [mark for mark, done in zip(history.marks, history.converted, strict=True) if done]
    best, closest = 0.0, min(last - first for first, last in zip(marks[:total], marks[STEPS:], strict=False))
    for count in range(LEAST_GROUP, total + 1):
        reach = count - 1
        # A lower bound on a group's span, from the closest four numbers; nearly always it is enough to skip the group.
        if _unlikely(count, closest * (reach // STEPS) + 1, size, total) <= max(best, least):
            continue
        span, first = min((last - first, first) for first, last in zip(marks[:total], marks[reach:], strict=False))
        unlikely = _unlikely(count, span + 1, size, total)
        if unlikely > best and sum(1 for mark in converted_marks if (mark - first) % size <= span) * 3 < count:
            best = unlikely
    return best if best > least else 0.0


def _unlikely(count: int, span: int, size: int, total: int) -> float:
    return -(_log10_ways(total, count) + (count - 1) * math.log10(span / size))


@cache
def _log10_ways(total: int, count: int) -> float:
    return math.log10(total) + _log10_choose(total - 1, count - 1)


def _log10_choose(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10)


def stride(history: History, size: int) -> int:
    """Return how many of the newest unconverted numbers follow one another at equal distances on the circle."""
    marks = unconverted_marks(history)
    steps = [(newer - older) % size for newer, older in pairwise(marks)]
    run = 0
    while run < len(steps) and steps[run] == steps[0] != 0:
        run += 1
    return run + 1 if run else min(1, len(marks))
