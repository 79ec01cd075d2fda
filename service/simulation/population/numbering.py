"""Phone numbers as people have them: assigned in ranges, some full, some empty, none of them impossible.

Called by people, scenarios.crowds and the attacks. Every number drawn here is valid by phonenumbers' metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count
from zlib import crc32

import msgspec
import phonenumbers
from phonenumbers.carrierdata import CARRIER_DATA

from service import phone
from service.simulation.population.countries import CountryTraits
from service.simulation.population.dice import Dice, Wheel

EMPTY = 0.35  # the share of ranges of ten thousand numbers that nobody has
SKEW = 0.7  # how much fuller an operator's fuller ranges are; 0 would make all alike
DEPTH = 5  # a range of ten times the numbers has DEPTH times the people
MILLION = 6  # digits
MOBILE = frozenset({"mobile", "fixed_or_mobile"})
PLAN_TYPES = {kind: number for number, kind in phone.KINDS.items()}


class Rented(msgspec.Struct, frozen=True):
    """A rented range: the numbers that begin with `base` and have `digits` more."""

    base: str
    digits: int

    def draw(self, dice: Dice) -> str:
        """Draw a valid number of the range."""
        return next(number for _ in count() if phone.describe(number := self.base + dice.digits(self.digits)).valid)


class Numbering:
    """The numbers of one country."""

    def __init__(self, country: CountryTraits, dice: Dice) -> None:
        """Draw which ranges are full, once for a trace: another seed is another product with other people."""
        self.country = country
        self._length = len(country.calling) + country.national
        self._salt = dice.letters(8)
        dealers = {name: _operator_ranges(country.calling, name) for name in country.operators}
        dealers |= {name: [country.calling + area for area in areas] for name, (_, areas) in country.towns.items()}
        self._ranges = {name: Wheel(_weigh(dice.shuffle(ranges))) for name, ranges in dealers.items()}
        parts = country.operators | {name: part for name, (part, _) in country.towns.items()}
        self._dealers = Wheel(parts.items())

    def draw(self, dice: Dice, dealer: str | None = None) -> str:
        """Draw a person's number, of one operator or town if it is named."""
        numbers = self._dealt(dice, dealer)
        return next(number for number in numbers if dice.chance(self._fullness(number)) and self.holds(number))

    def rent(self, dice: Dice, digits: int) -> Rented:
        """Draw a range of 10 ** `digits` numbers, wherever the country's mobile numbers are."""
        number = next(number for number in self._dealt(dice) if self.holds(number))
        return Rented(number[:-digits], digits)

    def neighbours(self, number: str, stride: int = 1) -> Iterator[str]:
        """Yield numbers from a given one on, in steps of `stride`; invalid ones are left out.

        It never ends: after the last of a million numbers comes the first.
        """
        base, first = number[:-MILLION], int(number[-MILLION:])
        steps = (f"{base}{(first + stride * step) % 10**MILLION:0{MILLION}d}" for step in count())
        return (step for step in steps if self.holds(step))

    def holds(self, number: str) -> bool:
        """Return whether this is a valid mobile number of the country."""
        plan = phone.describe(number)
        return plan.valid and plan.country == self.country.code and plan.kind in MOBILE

    def _dealt(self, dice: Dice, dealer: str | None = None) -> Iterator[str]:
        while True:
            prefix = self._ranges[dealer or self._dealers.draw(dice)].draw(dice)
            yield f"+{prefix}{dice.digits(self._length - len(prefix))}"

    def _fullness(self, number: str) -> float:
        drawn = crc32(f"{self._salt}{number[:-4]}".encode()) / 2**32
        return 0.0 if drawn < EMPTY else drawn**2


def draw_of_kind(dice: Dice, country: str, kind: phone.NumberKind, digits: int = 5) -> str | None:
    """Draw a number of any country (ISO 3166) and kind near the metadata's example; None if there are none."""
    example = phonenumbers.example_number_for_type(country, PLAN_TYPES[kind])
    if example is None:
        return None
    first = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    plan, base = phone.describe(first), first[:-digits]
    return next(number for _ in count() if phone.describe(number := base + dice.digits(digits)) == plan)


@cache
def _operator_ranges(calling: str, operator: str) -> list[str]:
    return sorted(
        prefix for prefix, names in CARRIER_DATA.items() if prefix.startswith(calling) and names.get("en") == operator
    )


def _weigh(ranges: Iterable[str]) -> Iterator[tuple[str, float]]:
    return ((prefix, (place + 1) ** -SKEW * DEPTH ** -len(prefix)) for place, prefix in enumerate(ranges))
