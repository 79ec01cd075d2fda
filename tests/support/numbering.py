"""How many numbers the numbering plan has: counted from phonenumbers' patterns, without listing them.

Used by test_numbers_hidden. A pattern becomes an automaton; paths of a length are counted state by state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import phonenumbers

# The parser of re has no public name.
ops: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

DIGITS = frozenset(range(10))
LONGEST = 15

Edge = tuple[int, frozenset[int]]


class Automaton:
    """States joined by digits, and by nothing."""

    def __init__(self, pattern: str) -> None:
        self.edges: list[list[Edge]] = [[]]
        self.jumps: list[list[int]] = [[]]
        self.end = self._add(parser.parse(pattern), 0)

    def count(self, lengths: Iterable[int]) -> int:
        """Count the strings of digits of these lengths that match."""
        wanted, total = set(lengths), 0
        level = Counter({self._reach({0}): 1})
        for length in range(LONGEST + 1):
            if length in wanted:
                total += sum(ways for states, ways in level.items() if self.end in states)
            following: Counter[frozenset[int]] = Counter()
            for states, ways in level.items():
                for digit in DIGITS:
                    after = {to for state in states for to, digits in self.edges[state] if digit in digits}
                    if after:
                        following[self._reach(after)] += ways
            level = following
        return total

    def _reach(self, states: set[int]) -> frozenset[int]:
        found, waiting = set(states), list(states)
        while waiting:
            for to in self.jumps[waiting.pop()]:
                if to not in found:
                    found.add(to)
                    waiting.append(to)
        return frozenset(found)

    def _state(self) -> int:
        self.edges.append([])
        self.jumps.append([])
        return len(self.edges) - 1

    def _add(self, parsed: Iterable[Any], start: int) -> int:
        for op, value in parsed:
            start = self._step(op, value, start)
        return start

    def _step(self, op: Any, value: Any, start: int) -> int:
        if op is ops.SUBPATTERN:
            return self._add(value[-1], start)
        end = self._state()
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            least, most, inner = value
            for count in range(most):
                if count >= least:
                    self.jumps[start].append(end)
                start = self._add(inner, start)
            self.jumps[start].append(end)
        elif op is ops.BRANCH:
            for branch in value[1]:
                self.jumps[self._add(branch, start)].append(end)
        else:
            self.edges[start].append((end, _digits(op, value)))
        return end


def _digits(op: Any, value: Any) -> frozenset[int]:
    if op is ops.LITERAL:
        return frozenset({value - ord("0")})
    if op is ops.CATEGORY or op is ops.ANY:
        return DIGITS
    if op is ops.RANGE:
        return frozenset(range(value[0] - ord("0"), value[1] - ord("0") + 1))
    if op is ops.IN:
        negated = bool(value) and value[0][0] is ops.NEGATE
        found = frozenset[int]().union(*(_digits(*one) for one in value if one[0] is not ops.NEGATE))
        return DIGITS - found if negated else found
    raise ValueError(op)


def count_numbers(description: phonenumbers.PhoneNumberDesc | None) -> int:
    """Count the national numbers that a description of phonenumbers' metadata means."""
    if description is None or not description.national_number_pattern:
        return 0
    lengths = [length for length in description.possible_length if length > 0]
    return Automaton(description.national_number_pattern).count(lengths or range(LONGEST + 1))
