"""How well one time tells two kinds apart: the area under a classifier's curve (AUC), and how sure that is.

Used by benchmarks.silence and benchmarks.callback_tells. 0.5 is not at all, 0 and 1 are always.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec


class Area(msgspec.Struct, frozen=True):
    """An AUC and its standard deviation."""

    value: float
    deviation: float

    @property
    def surprise(self) -> float:
        """Return how many deviations it is from 0.5."""
        return abs(self.value - 0.5) / self.deviation if self.deviation else 0.0

    def write(self) -> str:
        """Write it with its 95 % confidence interval."""
        return f"{self.value:.3f} ± {1.96 * self.deviation:.3f}"


def compare(ones: Sequence[float], others: Sequence[float]) -> Area:
    """Return how often a value of the second group is above one of the first (Mann-Whitney; deviation by DeLong)."""
    below, above = sorted(ones), sorted(others)
    of_others = [(bisect_left(below, one) + bisect_right(below, one)) / 2 / len(below) for one in above]
    of_ones = [1 - (bisect_left(above, one) + bisect_right(above, one)) / 2 / len(above) for one in below]
    area = sum(of_others) / len(of_others)
    return Area(area, math.sqrt(_variance(of_others, area) + _variance(of_ones, area)))


def _variance(places: Sequence[float], mean: float) -> float:
    return sum((one - mean) ** 2 for one in places) / (len(places) - 1) / len(places)
