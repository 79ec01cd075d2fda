"""Attacks that differ by their sources: one at a time, many slowly, or each used once.

Registered as `burst`, `trickle` and `one_use`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from service.simulation.population.addresses import beside, datacentre
from service.simulation.population.dice import Dice
from service.simulation.population.habits import Digits, Habits, Hours, Rate, Size, Some
from service.simulation.population.world import World
from service.simulation.scenarios.attackers import Attacker, pace, rent_homes
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine

Source = Literal["address", "network", "subnets", "device"]
TRIES = 4
NETWORK = 250  # usable addresses of a small network


class Burst(Scenario, frozen=True, kw_only=True):
    """One source after another requests numbers of all countries, `rate` an hour, `apart` hours between them.

    `address`: one IPv4 address; `network`: one of 256; `subnets`: one IPv6 network, with a new /64 each time;
    `device`: one device behind ever new addresses.
    """

    begin: Hours = 8.0
    apart: Hours = 2.0
    sources: tuple[Source, ...] = ("address", "network", "subnets", "device")
    requests: Size = 250
    rate: Rate = 1500.0

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield each source's requests in turn."""
        for place, source in enumerate(self.sources):
            devices = 1 if source == "device" else self.requests
            attacker = Attacker("burst", dice, self._addresses(source, world, dice), devices)
            times = pace(dice, self.begin + place * self.apart, self.rate)
            for _ in range(self.requests):
                yield attacker.ask(next(times), world.numbers[world.pick(dice)].draw(dice))

    def _addresses(self, source: Source, world: World, dice: Dice) -> list[str]:
        if source == "device":
            return rent_homes(world, dice, self.requests)
        if source == "subnets":
            first = world.addresses[world.pick(dice)].home_v6(dice)
            return [beside(first, place) for place in range(self.requests)]
        first = datacentre(dice)
        return [beside(first, place) for place in range(1, NETWORK if source == "network" else 2)]


class Trickle(Scenario, frozen=True, kw_only=True):
    """Slow pumping for `days` days, `a_day` requests each, below every limit that counts one subject.

    A number is requested once, as long as the ranges last; an address or device is reused after hours.
    """

    people: Habits = Habits(days=3, visits=2500)
    begin: Hours = 6.0
    days: Rate = 2.7
    a_day: Size = 240
    ranges: Some = 2
    digits: Digits = 4
    addresses: Some = 80
    devices: Some = 160

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield a request every few minutes."""
        country = world.pick(dice)
        rented = [world.numbers[country].rent(dice, self.digits) for _ in range(self.ranges)]
        attacker = Attacker("trickle", dice, rent_homes(world, dice, self.addresses, country), self.devices)
        times = pace(dice, self.begin, self.a_day / 24)
        asked: set[str] = set()
        for _ in range(round(self.days * self.a_day)):
            tries = [dice.pick(rented).draw(dice) for _ in range(TRIES)]
            number = next((number for number in tries if number not in asked), tries[0])
            asked.add(number)
            yield attacker.ask(next(times), number)


class OneUse(Scenario, frozen=True, kw_only=True):
    """Every address and every device is used once, for numbers of `ranges` of ten thousand in some countries."""

    begin: Hours = 8.0
    requests: Size = 900
    rate: Rate = 180.0
    ranges: Some = 6

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield requests, each from a new source."""
        rented = [world.numbers[world.pick(dice)].rent(dice, digits=4) for _ in range(self.ranges)]
        homes = list(dict.fromkeys(rent_homes(world, dice, self.requests * 2)))[: self.requests]
        attacker = Attacker("one_use", dice, homes, self.requests)
        times = pace(dice, self.begin, self.rate)
        yield from (attacker.ask(next(times), dice.pick(rented).draw(dice)) for _ in range(self.requests))
