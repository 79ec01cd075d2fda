"""Random draws that are the same everywhere: one seed, one trace, whatever the Python version.

Used by population and scenarios. Python guarantees only the sequence of `Random.random()` for all versions, so
everything else is built on that here; no other method of `random` may be used in a scenario.
"""

from __future__ import annotations

import math
import string
from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")
_LETTERS = string.ascii_letters + string.digits


class Dice:
    """One stream of random draws."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.number = Random(seed).random  # noqa: S311 (a trace hides nothing)

    def fork(self, name: str) -> Dice:
        """Begin a separate stream: drawing from it does not affect this one."""
        return Dice(f"{self._seed}/{name}")

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.number() < probability

    def between(self, low: float, high: float) -> float:
        """Draw evenly from an interval."""
        return low + (high - low) * self.number()

    def integer(self, low: int, high: int) -> int:
        """Draw evenly from `low` to `high`, both included."""
        return low + int(self.number() * (high - low + 1))

    def waiting(self, mean: float) -> float:
        """Draw the wait until the next random event (exponential)."""
        return -mean * math.log(1.0 - self.number())

    def pick(self, items: Sequence[T]) -> T:
        """Draw one of the items."""
        return items[int(self.number() * len(items))]

    def shuffle(self, items: Iterable[T]) -> list[T]:
        """Return the items in random order."""
        return [item for _, _, item in sorted((self.number(), place, item) for place, item in enumerate(items))]

    def share(self, count: int, part: float) -> list[bool]:
        """Return `count` booleans of which a share of `part` is True, as nearly as possible, in random order."""
        return self.shuffle([place < round(count * part) for place in range(count)])

    def letters(self, length: int) -> str:
        """Draw an identifier."""
        return "".join(self.pick(_LETTERS) for _ in range(length))

    def digits(self, length: int) -> str:
        """Draw decimal digits."""
        return f"{int(self.number() * 10**length):0{length}d}" if length else ""


class Wheel(Generic[T]):
    """A weighted draw."""

    def __init__(self, weights: Iterable[tuple[T, float]]) -> None:
        """Weights need not add up to one."""
        pairs = list(weights)
        self.things = [thing for thing, _ in pairs]
        self._bounds = list(accumulate(weight for _, weight in pairs))

    def draw(self, dice: Dice) -> T:
        """Draw one by its weight."""
        return self.things[bisect(self._bounds, dice.number() * self._bounds[-1])]
