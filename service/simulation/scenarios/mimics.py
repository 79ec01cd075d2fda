"""Attacks that look like people in one respect: numbers that verify, traffic among people's, few requests each.

Registered by their names. Sizes and paces are drawn from the seed; devices look clean.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.habits import DAY, HOUR, Habits, waking_time
from service.simulation.population.people import meet, visit
from service.simulation.population.world import World
from service.simulation.scenarios.attackers import Attacker, pace, rent_homes
from service.simulation.scenarios.groups import AROUND, MINUTE, label_group
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine


class VerifiedOnce(Scenario, frozen=True, kw_only=True):
    """SIMs that verify once, and then ask about eight times a day from ever other addresses."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield each SIM's requests."""
        code, a_day = world.pick(dice), dice.between(6, 9)
        attacker = Attacker("verified_once", dice, rent_homes(world, dice, 200, code), 200)
        for _ in range(dice.integer(50, 90)):
            number = world.numbers[code].draw(dice)
            t = dice.between(0, DAY / 2)
            yield attacker.ask(t, number, verifies=True, verify_after=dice.between(10, 40))
            while (t := t + DAY / a_day * dice.between(0.5, 1.5)) < self.people.days * DAY:
                yield attacker.ask(t, number)


class HiddenInDay(Scenario, frozen=True, kw_only=True):
    """One country's day, of whose conversion a sixth is lost to requests that are spread as its people's."""

    people: Habits = AROUND
    country: str = ""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield more of the country's people on both days, and the attack among the second day's."""
        code = world.pick(dice, self.country)
        traits = next(one for one in world.countries if one.code == code)
        habits = msgspec.structs.replace(self.people, days=1)
        visits = dice.integer(600, 900)
        for day in range(self.people.days):
            for converts in dice.share(visits, 0.72):
                t = day * DAY + waking_time(habits, dice.pick(traits.offsets), dice)
                yield from label_group(visit(meet(world, habits, code, dice), habits, t, dice, converts=converts))
        hidden = round(visits * dice.between(0.17, 0.22))
        attacker = Attacker("hidden_in_day", dice, rent_homes(world, dice, hidden, code), hidden)
        for _ in range(hidden):
            t = (self.people.days - 1) * DAY + waking_time(habits, dice.pick(traits.offsets), dice)
            yield attacker.ask(t, world.numbers[code].draw(dice))


class CountriesInTurn(Scenario, frozen=True, kw_only=True):
    """All countries in turn, a few requests each, over and over."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield some requests a country, then the next country's."""
        requests, few = dice.integer(250, 500), dice.integer(2, 6)
        attacker = Attacker("countries_in_turn", dice, rent_homes(world, dice, dice.integer(100, 300)), requests)
        times = pace(dice, 24 + dice.between(5, 9), requests / dice.between(6, 14))
        for place in range(requests):
            code = world.countries[place // few % len(world.countries)].code
            yield attacker.ask(next(times), world.numbers[code].draw(dice))


class SimBank(Scenario, frozen=True, kw_only=True):
    """A bank of SIMs that reads about three codes in ten: numbers of a few ranges, each asked a few times."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield its requests."""
        code, reads = world.pick(dice), dice.between(0.25, 0.35)
        batches = [world.numbers[code].rent(dice, digits=3) for _ in range(dice.integer(2, 6))]
        sims = [dice.pick(batches).draw(dice) for _ in range(dice.integer(120, 300))]
        attacker = Attacker("sim_bank", dice, rent_homes(world, dice, dice.integer(20, 80), code), len(sims))
        times = pace(dice, 24 + dice.between(4, 8), dice.between(30, 80))
        for _ in range(dice.integer(300, 500)):
            yield attacker.ask(
                next(times), dice.pick(sims), verifies=dice.chance(reads), verify_after=round(dice.between(12, 60), 1)
            )


class Bombing(Scenario, frozen=True, kw_only=True):
    """Somebody's number is asked for by many accounts from many addresses; its owner wants a code now and then."""

    people: Habits = AROUND

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the bombs, and the owner's requests among them."""
        code = world.pick(dice)
        owner = meet(world, self.people, code, dice)
        begin, length = DAY + dice.between(8, 14) * HOUR, dice.between(1, 8) * HOUR
        requests = dice.integer(80, 250)
        attacker = Attacker("bombing", dice, rent_homes(world, dice, requests), requests)
        for _ in range(requests):
            yield attacker.ask(begin + dice.number() * length, owner.number)
        verified = dice.between(2, 20) * HOUR
        for t in (verified, begin + length / 4, begin + length / 2, begin + length + 20 * MINUTE):
            yield from label_group(visit(owner, self.people, t, dice, converts=True))
