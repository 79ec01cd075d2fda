"""Honest people whose codes do not arrive, or who enter few of them, or come when hardly anybody does.

Registered by their names. It is a mistake to stop any of them; sizes, paces and shares are drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.habits import DAY, HOUR
from service.simulation.population.numbering import Rented
from service.simulation.population.people import Person, meet, visit
from service.simulation.population.world import World
from service.simulation.scenarios.groups import Group, label_group
from service.simulation.trace import TraceLine

TOLD = 0.8  # the share of failed deliveries that the operator reports; the rest are silent


class PortedRange(Group, frozen=True, kw_only=True):
    """A range of 10,000 whose numbers moved to another operator: from a certain hour on little is delivered."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the range's people on both days."""
        code, end = world.pick(dice), self.people.days * DAY
        rented = Rented(world.numbers[code].draw(dice)[:-4], digits=4)
        ported, arrives = end - dice.between(10, 16) * HOUR, dice.between(0.1, 0.35)
        for _ in range(dice.integer(60, 120)):
            t = dice.between(0, end)
            person = meet(world, self.people, code, dice, number=rented.draw(dice))
            yield from label_group(_try(self, person, t, dice, arrives=t < ported or dice.chance(arrives)))


class Outage(Group, frozen=True, kw_only=True):
    """A route's outage: for up to two hours nothing to a country arrives; then all is as before."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the country's people before, during and after."""
        code, begin, length = world.pick(dice), self.morning(dice) + 3 * HOUR, dice.between(0.5, 2) * HOUR
        for _ in range(dice.integer(250, 450)):
            t = begin + dice.between(-3, 5) * HOUR
            person = meet(world, self.people, code, dice)
            yield from label_group(_try(self, person, t, dice, arrives=not begin <= t < begin + length))


class LowConversion(Group, frozen=True, kw_only=True):
    """A country that converts at 36 to 45 %, on both days."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield its people; the others of that country are as few as any."""
        code, converts = world.pick(dice), dice.between(0.36, 0.45)
        for _ in range(dice.integer(500, 800)):
            t = dice.between(0, self.people.days) * DAY
            yield from self.come(meet(world, self.people, code, dice), t, dice, converts)


class QuietNights(Group, frozen=True, kw_only=True):
    """Few people by night, half of whom fall asleep over it."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the nights' people of all countries."""
        converts = dice.between(0.45, 0.6)
        for night in range(self.people.days):
            for _ in range(dice.integer(40, 80)):
                t = night * DAY + dice.between(0, 5) * HOUR
                yield from self.come(meet(world, self.people, world.pick(dice), dice), t, dice, converts)


class Reverification(Group, frozen=True, kw_only=True):
    """A mailing asks everybody to verify again: known people within hours, many of whom do not care to the end."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield their first verification, and the second."""
        code, converts = world.pick(dice), dice.between(0.45, 0.6)
        mailed, spread = self.morning(dice), dice.between(1, 4) * HOUR
        for _ in range(dice.integer(150, 300)):
            person = meet(world, self.people, code, dice)
            yield from self.come(person, dice.number() * DAY, dice, 0.85)
            yield from self.come(person, mailed + dice.waiting(spread), dice, converts)


def _try(group: Group, person: Person, t: float, dice: Dice, *, arrives: bool) -> Iterator[TraceLine]:
    """Yield a visit; where the code does not arrive nobody enters it, and mostly the operator says so."""
    told = arrives or not dice.chance(TOLD)
    for line in visit(person, group.people, t, dice, converts=arrives and dice.chance(0.75)):
        yield msgspec.structs.replace(line, delivered=told)
