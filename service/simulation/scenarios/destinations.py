"""Attacks that the number alone gives away: countries that are not served, numbers that cost their caller.

Registered as `unserved` and `voice_premium`.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.phone import NumberKind
from service.simulation.population.dice import Dice
from service.simulation.population.habits import Hours, Rate, Share, Size, Some
from service.simulation.population.numbering import draw_of_kind
from service.simulation.population.world import ScenarioError, World
from service.simulation.scenarios.attackers import Attacker, pace, rent_homes
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine

FALLBACK = 40.0  # seconds after which a call is requested, if the sms was the first try


class Unserved(Scenario, frozen=True, kw_only=True):
    """Mobile numbers of `countries`, except those in which the people live."""

    begin: Hours = 8.0
    countries: tuple[str, ...] = ("AZ", "BY", "CU", "LB", "LV", "SO", "TJ", "TN")
    requests: Size = 500
    rate: Rate = 200.0
    addresses: Some = 150
    devices: Some = 180

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield requests for numbers abroad."""
        abroad = [country for country in self.countries if country not in world.numbers]
        if not abroad:
            raise ScenarioError("every one of these countries is served")
        attacker = Attacker("unserved", dice, rent_homes(world, dice, self.addresses), self.devices)
        times = pace(dice, self.begin, self.rate)
        for _ in range(self.requests):
            if number := draw_of_kind(dice, dice.pick(abroad), "mobile"):
                yield attacker.ask(next(times), number)


class VoicePremium(Scenario, frozen=True, kw_only=True):
    """Calls to numbers that pay whoever is called, `first_sms` of them after a message that could not arrive."""

    begin: Hours = 8.0
    kinds: tuple[NumberKind, ...] = ("premium", "shared_cost")
    requests: Size = 400
    rate: Rate = 120.0
    first_sms: Share = 0.5
    addresses: Some = 150
    devices: Some = 300

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield requests for calls."""
        dear = [(at.code, kind) for at in world.countries for kind in self.kinds if draw_of_kind(dice, at.code, kind)]
        if not dear:
            raise ScenarioError(f"none of the countries has numbers that are {' or '.join(self.kinds)}")
        attacker = Attacker("voice_premium", dice, rent_homes(world, dice, self.addresses), self.devices)
        times = pace(dice, self.begin, self.rate)
        for _ in range(self.requests):
            number, t = draw_of_kind(dice, *dice.pick(dear)) or "", next(times)
            if dice.chance(self.first_sms):
                yield attacker.ask(t, number)
                t += FALLBACK
            yield attacker.ask(t, number, channel="call")
