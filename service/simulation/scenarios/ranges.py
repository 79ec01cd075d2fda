"""Pumping that is paid by the range: random numbers of rented ranges, or of a few prefixes of one country.

Registered as `range`, `country` and `patient`. There are many addresses and devices, and they look clean.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.simulation.population.dice import Dice
from service.simulation.population.habits import Digits, Hours, Rate, Share, Size, Some
from service.simulation.population.world import World
from service.simulation.scenarios.attackers import Attacker, pace, rent_homes
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine


class Ranges(Scenario, frozen=True, kw_only=True):
    """Ranges of 10 ** digits numbers, one after another, each in a country of its own.

    `begin`, `apart`: hours until the first and between them; `requests` a range, `rate` an hour.
    """

    begin: Hours = 6.0
    apart: Hours = 3.0
    digits: tuple[Digits, ...] = (3, 4, 5)
    requests: Size = 350
    rate: Rate = 120.0
    addresses: Some = 120
    devices: Some = 140

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Pump one range after another."""
        for place, digits in enumerate(self.digits):
            country = world.pick(dice)
            rented = world.numbers[country].rent(dice, digits)
            attacker = Attacker("range", dice, rent_homes(world, dice, self.addresses, country), self.devices)
            times = pace(dice, self.begin + place * self.apart, self.rate)
            yield from (attacker.ask(next(times), rented.draw(dice)) for _ in range(self.requests))


class OneCountry(Scenario, frozen=True, kw_only=True):
    """A served country, at random over `prefixes` of a million numbers each; "" means any country."""

    begin: Hours = 9.0
    country: str = ""
    prefixes: Some = 4
    requests: Size = 1000
    rate: Rate = 300.0
    addresses: Some = 350
    devices: Some = 400

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Pump the country."""
        country = world.pick(dice, self.country)
        rented = [world.numbers[country].rent(dice, digits=6) for _ in range(self.prefixes)]
        attacker = Attacker("country", dice, rent_homes(world, dice, self.addresses), self.devices)
        times = pace(dice, self.begin, self.rate)
        yield from (attacker.ask(next(times), dice.pick(rented).draw(dice)) for _ in range(self.requests))


class Patient(Scenario, frozen=True, kw_only=True):
    """Rented ranges of ten thousand, with a share of `honest` requests that are verified, to look healthy.

    Half of those go to `own` SIM cards elsewhere in the country, half into the ranges, whose renter sees the codes.
    """

    begin: Hours = 6.0
    ranges: Some = 2
    requests: Size = 800
    rate: Rate = 100.0
    honest: Share = 0.3
    own: Some = 60
    addresses: Some = 200
    devices: Some = 260

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Verify a few, pump the rest."""
        country = world.pick(dice)
        numbers = world.numbers[country]
        rented = [numbers.rent(dice, digits=4) for _ in range(self.ranges)]
        own = [numbers.draw(dice) for _ in range(self.own)]
        attacker = Attacker("patient", dice, rent_homes(world, dice, self.addresses, country), self.devices)
        times = pace(dice, self.begin, self.rate)
        for verifies in dice.share(self.requests, self.honest):
            number = dice.pick(own) if verifies and dice.chance(0.5) else dice.pick(rented).draw(dice)
            after = round(dice.between(12, 60), 1)
            yield attacker.ask(next(times), number, verifies=verifies, verify_after=after)
