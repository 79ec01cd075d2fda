"""An ordinary day, and the base of every scenario: people, and an attack or a group among them.

Called by the package's registry; each attack and group builds on Scenario.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from typing_extensions import override

from service.simulation.population.countries import CountryTraits
from service.simulation.population.dice import Dice
from service.simulation.population.habits import Habits, waking_time
from service.simulation.population.people import AGAIN, Person, meet, visit
from service.simulation.population.world import World
from service.simulation.scenarios.crowds import gather_crowds
from service.simulation.trace import TraceLine


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only ordinary people. A scenario's fields are its knobs."""

    people: Habits = Habits()

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield what comes beside ordinary traffic, in any order."""
        raise NotImplementedError


class Ordinary(Scenario, frozen=True, kw_only=True):
    """People alone: nobody attacks."""

    @override
    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        yield from ()


def live(world: World, habits: Habits, dice: Dice) -> Iterator[TraceLine]:
    """Yield the lines of ordinary traffic, in any order."""
    total = sum(country.part for country in world.countries)
    for country in world.countries:
        count = round(habits.visits * habits.days * country.part / total)
        yield from _country(world, habits, country, count, dice.fork(country.code))
    yield from gather_crowds(world, habits, dice.fork("crowds"))


def _country(world: World, habits: Habits, country: CountryTraits, count: int, dice: Dice) -> Iterator[TraceLine]:
    known: list[Person] = []
    lines_each = 1 + habits.resend * (1 + AGAIN)
    for converts in dice.share(count, min(1.0, country.conversion * lines_each)):
        t = waking_time(habits, dice.pick(country.offsets), dice)
        if known and dice.chance(habits.returning):
            person = dice.pick(known)
        else:
            person = meet(world, habits, country.code, dice)
            known.append(person)
        yield from visit(person, habits, t, dice, converts=converts)
