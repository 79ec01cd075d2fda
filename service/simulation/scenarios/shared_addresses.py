"""Honest groups behind one address: an office, a school class, a call centre, a conference.

Registered by their names. It is a mistake to stop any of them; sizes and paces are drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.habits import HOUR
from service.simulation.population.people import Person, meet
from service.simulation.population.world import World
from service.simulation.scenarios.groups import MINUTE, Group
from service.simulation.trace import TraceLine


class Onboarding(Group, frozen=True, kw_only=True):
    """A company starts its new people within twenty minutes; they are told to verify."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield about sixty people."""
        code, begin, spread = world.pick(dice), self.morning(dice), dice.between(15, 25) * MINUTE
        address = world.addresses[code].office(dice)
        for _ in range(dice.integer(45, 75)):
            person = meet(world, self.people, code, dice, address=address)
            yield from self.come(person, begin + dice.number() * spread, dice, dice.between(0.85, 0.95))


class Office(Group, frozen=True, kw_only=True):
    """An office, all day."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield people between morning and evening."""
        code, begin = world.pick(dice), self.morning(dice)
        address = world.addresses[code].office(dice)
        for _ in range(dice.integer(60, 150)):
            person = meet(world, self.people, code, dice, address=address)
            yield from self.come(person, begin + dice.number() * 9 * HOUR, dice)


class SchoolClass(Group, frozen=True, kw_only=True):
    """A class that is told to install an app."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the pupils."""
        code, begin, spread = world.pick(dice), self.morning(dice), dice.between(5, 20) * MINUTE
        address = world.addresses[code].office(dice)
        for _ in range(dice.integer(22, 34)):
            person = meet(world, self.people, code, dice, address=address)
            yield from self.come(person, begin + dice.number() * spread, dice)


class Dormitory(Group, frozen=True, kw_only=True):
    """A dormitory, in the evening; not all of its people have numbers of the country."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield its people."""
        home, begin, local = world.pick(dice), self.morning(dice) + 9 * HOUR, dice.between(0.6, 0.95)
        address = world.addresses[home].office(dice)
        for _ in range(dice.integer(40, 100)):
            code = home if dice.chance(local) else world.pick(dice)
            person = meet(world, self.people, code, dice, address=address)
            yield from self.come(person, begin + dice.number() * 5 * HOUR, dice)


class CallCentre(Group, frozen=True, kw_only=True):
    """Agents who verify callers' numbers, at one address, each at one machine; the caller reads the code out."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield a working day's callers."""
        code, begin = world.pick(dice), self.morning(dice)
        address = world.addresses[code].office(dice)
        agents = [dice.letters(20) for _ in range(dice.integer(8, 25))]
        for _ in range(dice.integer(100, 250)):
            person = meet(world, self.people, code, dice, address=address)
            person = msgspec.structs.replace(person, visitor=dice.pick(agents))
            yield from self.come(person, begin + dice.number() * 8 * HOUR, dice, dice.between(0.75, 0.9))


class Kiosk(Group, frozen=True, kw_only=True):
    """A terminal in a shop: one address, one device, no accounts."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield a day's customers."""
        code, begin, visitor = world.pick(dice), self.morning(dice), dice.letters(20)
        address = world.addresses[code].office(dice)
        for _ in range(dice.integer(60, 140)):
            person = meet(world, self.people, code, dice, address=address)
            person = msgspec.structs.replace(person, visitor=visitor, account=None)
            yield from self.come(person, begin + dice.number() * 10 * HOUR, dice, dice.between(0.7, 0.9))


class Conference(Group, frozen=True, kw_only=True):
    """An international conference: one address, numbers of all countries, most within the first hours."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield its guests."""
        home, begin, spread = world.pick(dice), self.morning(dice), dice.between(1, 4) * HOUR
        address = world.addresses[home].office(dice)
        for _ in range(dice.integer(80, 200)):
            person = meet(world, self.people, world.pick(dice), dice, address=address)
            yield from self.come(person, begin + dice.number() * spread, dice)


class Travellers(Group, frozen=True, kw_only=True):
    """Hotels and airports: a few addresses, guests of all countries, a few an hour."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield their guests."""
        for _ in range(dice.integer(3, 6)):
            home, begin = world.pick(dice), self.morning(dice)
            address = world.addresses[home].office(dice)
            for _ in range(dice.integer(15, 40)):
                person = meet(world, self.people, world.pick(dice), dice, address=address)
                yield from self.come(person, begin + dice.number() * 14 * HOUR, dice)


class Employer(Group, frozen=True, kw_only=True):
    """A company's own block of numbers, given out by floor; its people sign up within hours, from its address or home.

    They lie within some hundred or a thousand numbers, many of them neighbours.
    """

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield its people."""
        code, begin, spread = world.pick(dice), self.morning(dice), dice.between(0.5, 8) * HOUR
        numbers, address = world.numbers[code], world.addresses[code].office(dice)
        block = list(islice(numbers.neighbours(numbers.draw(dice)), dice.integer(150, 1000)))
        at_home, converts = dice.between(0, 1), dice.between(0.65, 0.9)
        for number in dice.shuffle(block)[: dice.integer(40, 110)]:
            person = self._meet(world, code, dice, number, "" if dice.chance(at_home) else address)
            yield from self.come(person, begin + dice.number() * spread, dice, converts)

    def _meet(self, world: World, code: str, dice: Dice, number: str, address: str) -> Person:
        return meet(world, self.people, code, dice, number=number, address=address)
