"""Crowds: people who look alike for good reasons, as an attack would.

Called by ordinary. A rule that is too strict stops them first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from service.simulation.population.countries import CountryTraits
from service.simulation.population.dice import Dice
from service.simulation.population.habits import HOUR, Habits, busy_part, local_time
from service.simulation.population.numbering import Rented
from service.simulation.population.people import Person, meet, visit
from service.simulation.population.world import World
from service.simulation.trace import TraceLine

EVENING = 19
TOWN = 12  # blocks of ten thousand numbers
STAFF_CONVERTS = 0.88  # they are told to verify, and help each other


def gather_crowds(world: World, habits: Habits, dice: Dice) -> Iterator[TraceLine]:
    """Yield every crowd's lines, not in order."""
    for crowd, times in ((_office, habits.offices), (_company, habits.companies), (_family, habits.families)):
        for _ in range(times):
            yield from crowd(world, habits, dice)
    yield from _launch(world, habits, dice)
    yield from _push(world, habits, dice)


def _office(world: World, habits: Habits, dice: Dice) -> Iterator[TraceLine]:
    country, offset, address = _somewhere(world, dice)
    for _ in range(dice.integer(4, 12)):
        t = local_time(habits, offset, dice.between(8.5, 17.5), dice)
        yield from _come(meet(world, habits, country.code, dice, address=address), habits, t, country, dice)


def _company(world: World, habits: Habits, dice: Dice) -> Iterator[TraceLine]:
    country, offset, address = _somewhere(world, dice)
    numbers = world.numbers[country.code]
    block = list(islice(numbers.neighbours(numbers.draw(dice)), habits.staff))
    morning = local_time(habits, offset, 9.0, dice)
    for number, converts in zip(dice.shuffle(block), dice.share(len(block), STAFF_CONVERTS), strict=True):
        person = meet(world, habits, country.code, dice, number=number, address=address)
        yield from visit(person, habits, morning + dice.between(0, 3) * HOUR, dice, converts=converts)


def _family(world: World, habits: Habits, dice: Dice) -> Iterator[TraceLine]:
    country, offset, _ = _somewhere(world, dice)
    numbers = world.numbers[country.code]
    address = world.addresses[country.code].home(dice)
    t = local_time(habits, offset, dice.between(10, 21), dice)
    for number in islice(numbers.neighbours(numbers.draw(dice)), dice.integer(2, 4)):
        yield from _come(
            meet(world, habits, country.code, dice, number=number, address=address), habits, t, country, dice
        )
        t += dice.between(2, 20) * 60


def _launch(world: World, habits: Habits, dice: Dice) -> Iterator[TraceLine]:
    """Yield a launch in one town, for three hours: its numbers are in a few ranges of ten thousand."""
    country = dice.pick([country for country in world.countries if country.towns] or world.countries)
    dealer, offset = dice.pick([*country.towns, *country.operators]), dice.pick(country.offsets)
    evening = local_time(habits, offset, 17.0, dice)
    town = [Rented(world.numbers[country.code].draw(dice, dealer)[:-4], digits=4) for _ in range(TOWN)]
    for _ in range(habits.launch):
        number = dice.pick(town).draw(dice)
        t = evening + (dice.number() + dice.number()) * 1.5 * HOUR
        yield from _come(meet(world, habits, country.code, dice, number=number), habits, t, country, dice)


def _push(world: World, habits: Habits, dice: Dice) -> Iterator[TraceLine]:
    country, offset, _ = _somewhere(world, dice)
    hour = local_time(habits, offset, EVENING, dice)
    for _ in range(round((habits.push - 1) * habits.visits * country.part * busy_part(EVENING))):
        yield from _come(meet(world, habits, country.code, dice), habits, hour + dice.number() * HOUR, country, dice)


def _come(person: Person, habits: Habits, t: float, country: CountryTraits, dice: Dice) -> Iterator[TraceLine]:
    likely = country.conversion * (1 + habits.resend)
    return visit(person, habits, t, dice, converts=dice.chance(likely))


def _somewhere(world: World, dice: Dice) -> tuple[CountryTraits, float, str]:
    country = dice.pick(world.countries)
    return country, dice.pick(country.offsets), world.addresses[country.code].office(dice)
