"""Honest rushes behind a carrier's NAT: an advertisement on television, an evening, a launch.

Registered by their names. It is a mistake to stop anybody in them; sizes and paces are drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.simulation.population.dice import Dice
from service.simulation.population.habits import HOUR
from service.simulation.population.people import meet
from service.simulation.population.world import World
from service.simulation.scenarios.groups import MINUTE, USUAL, Group
from service.simulation.trace import TraceLine


class _Rush(Group, frozen=True, kw_only=True):
    def rush(self, world: World, dice: Dice, people: int, begin: float, mean: float) -> Iterator[TraceLine]:
        """Yield people of one country, `mean` seconds after `begin` on average; half are behind a few addresses."""
        code, nat = world.pick(dice), dice.between(0.3, 0.7)
        exits = [world.addresses[code].tower(dice) for _ in range(dice.integer(2, 8))]
        for _ in range(people):
            address = dice.pick(exits) if dice.chance(nat) else ""
            person = meet(world, self.people, code, dice, address=address)
            yield from self.come(person, begin + dice.waiting(mean), dice, dice.between(0.62, 0.74))


class Advertisement(_Rush, frozen=True, kw_only=True):
    """An advertisement on television: hundreds within minutes."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield who came because of it."""
        begin = self.morning(dice) + 10 * HOUR
        yield from self.rush(world, dice, dice.integer(200, 450), begin, dice.between(4, 12) * MINUTE)


class Evening(_Rush, frozen=True, kw_only=True):
    """An evening's rush."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the evening's people."""
        begin = self.morning(dice) + 9 * HOUR
        yield from self.rush(world, dice, dice.integer(200, 400), begin, dice.between(60, 120) * MINUTE)


class Launch(Group, frozen=True, kw_only=True):
    """A launch in one country, ten times as busy as usual for an hour or two."""

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield who came because of it."""
        code, begin, length = world.pick(dice), self.morning(dice) + 8 * HOUR, dice.between(1, 2) * HOUR
        exits = [world.addresses[code].tower(dice) for _ in range(dice.integer(6, 20))]
        for _ in range(dice.integer(400, 700)):
            address = dice.pick(exits) if dice.chance(0.5) else ""
            person = meet(world, self.people, code, dice, address=address)
            yield from self.come(person, begin + dice.number() * length, dice, USUAL)
