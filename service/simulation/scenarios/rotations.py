"""Attacks that take turns: ranges of a virtual operator, small operators' ranges, devices, a trickle.

Registered by their names. Sizes and paces are drawn from the seed; devices look clean, and some bring none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.habits import DAY, HOUR, Habits
from service.simulation.population.numbering import Rented
from service.simulation.population.people import meet, visit
from service.simulation.population.world import World
from service.simulation.scenarios.attackers import Attacker, pace, rent_homes
from service.simulation.scenarios.groups import AROUND, label_group
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine

MVNO_ENTERS = 0.75


class VirtualOperator(Scenario, frozen=True, kw_only=True):
    """A virtual operator's ranges of 10,000 in rotation; it has customers of its own there."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the attack, and the operator's people on both days."""
        code, requests = world.pick(dice), dice.integer(300, 600)
        dealer = world.numbers[code].draw(dice)[:-6]
        ranges = [_within(dealer, dice) for _ in range(dice.integer(15, 40))]
        attacker = Attacker("virtual_operator", dice, rent_homes(world, dice, requests // 2, code), requests // 2)
        times = pace(dice, 24 + dice.between(4, 9), requests / dice.between(4, 10))
        yield from _rotate(attacker, ranges, requests, times, dice)
        for _ in range(dice.integer(80, 200)):
            person = meet(world, self.people, code, dice, number=dice.pick(ranges).draw(dice))
            t = dice.between(0, self.people.days) * DAY
            yield from label_group(visit(person, self.people, t, dice, converts=dice.chance(MVNO_ENTERS)))


class SmallOperators(Scenario, frozen=True, kw_only=True):
    """Ranges of small operators in several countries, in rotation; hardly any person has a number there."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the attack."""
        requests, digits = dice.integer(300, 600), dice.pick((4, 4, 5))
        codes = [world.pick(dice) for _ in range(dice.integer(4, 8))]
        ranges = [world.numbers[code].rent(dice, digits) for code in codes for _ in range(dice.integer(2, 4))]
        attacker = Attacker("small_operators", dice, rent_homes(world, dice, 200), 250)
        times = pace(dice, 24 + dice.between(4, 9), requests / dice.between(4, 12))
        yield from _rotate(attacker, ranges, requests, times, dice)


class FourADevice(Scenario, frozen=True, kw_only=True):
    """One device for four sends, and then another: below every limit of devices; numbers like people's."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the attack."""
        requests, codes = dice.integer(250, 450), [world.pick(dice) for _ in range(dice.integer(1, 3))]
        times = pace(dice, 24 + dice.between(5, 9), requests / dice.between(2, 6))
        for _ in range(requests // 4):
            homes = rent_homes(world, dice, dice.pick((1, 1, 4)))
            attacker = Attacker("four_a_device", dice, homes, 1)
            for _ in range(4):
                yield attacker.ask(next(times), world.numbers[dice.pick(codes)].draw(dice))


class SlowTrickle(Scenario, frozen=True, kw_only=True):
    """A request every few minutes, day and night, in a few ranges of 100,000 of one country; no device events."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the attack over both days."""
        code, gap = world.pick(dice), dice.between(5, 12)
        ranges = [world.numbers[code].rent(dice, digits=5) for _ in range(dice.integer(2, 5))]
        attacker = Attacker("slow_trickle", dice, rent_homes(world, dice, 150, code), 150)
        requests = round((self.people.days * DAY - 6 * HOUR) / (gap * 60))
        times = pace(dice, 6, 60 / gap)
        yield from _rotate(attacker, ranges, requests, times, dice, device=None)


class Farm(Scenario, frozen=True, kw_only=True):
    """A farm of telephones: real devices that ask for number after number of a few ranges. `events`: they show them."""

    people: Habits = AROUND
    events: bool = True

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the attack."""
        requests, code = dice.integer(250, 450), world.pick(dice)
        ranges = [world.numbers[code].rent(dice, digits=5) for _ in range(dice.integer(2, 8))]
        homes = rent_homes(world, dice, dice.integer(5, 30), code)
        attacker = Attacker("farm", dice, homes, dice.integer(20, 80))
        times = pace(dice, 24 + dice.between(5, 9), requests / dice.between(3, 10))
        lines = _rotate(attacker, ranges, requests, times, dice)
        yield from lines if self.events else (msgspec.structs.replace(line, device=None) for line in lines)


def _within(million: str, dice: Dice) -> Rented:
    return Rented(million + dice.digits(2), digits=4)


def _rotate(
    attacker: Attacker, ranges: Sequence[Rented], requests: int, times: Iterator[float], dice: Dice, **changes: Any
) -> Iterator[TraceLine]:
    for place in range(requests):
        yield attacker.ask(next(times), ranges[place % len(ranges)].draw(dice), **changes)
