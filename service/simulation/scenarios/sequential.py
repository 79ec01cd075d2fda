"""Sequential pumping: numbers that follow one another, more or less obviously.

Registered as `sequential`. Each run has a country, a stride and an order of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Annotated, Literal

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.habits import Hours, Rate, Size, Some
from service.simulation.population.numbering import Numbering
from service.simulation.population.world import World
from service.simulation.scenarios.attackers import Attacker, pace, rent_homes
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine

NumberOrder = Literal["straight", "backwards", "shuffled", "interleaved"]
SEVERAL = msgspec.Meta(min_length=1)
WINDOW = 20  # a shuffled run requests its numbers in random order within groups of so many
STRANDS = 3


class Sequential(Scenario, frozen=True, kw_only=True):
    """Runs of `length` numbers. `begin`, `apart`: hours until the first run, and between runs; `rates`: an hour.

    Runs take `rates`, `strides` and `orders` in turn; `skip` is the part of the numbers that is left out.
    """

    begin: Hours = 7.0
    apart: Hours = 1.5
    runs: Size = 6
    length: Size = 200
    rates: Annotated[tuple[Rate, ...], SEVERAL] = (150.0, 600.0, 60.0)
    strides: Annotated[tuple[Some, ...], SEVERAL] = (1, 2, 1, 10, 5)
    orders: Annotated[tuple[NumberOrder, ...], SEVERAL] = ("straight", "shuffled", "interleaved", "backwards")
    skip: Annotated[float, msgspec.Meta(ge=0, le=0.9)] = 0.1
    addresses: Some = 300
    devices: Some = 350

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Begin a run every so often; they overlap where they are long."""
        for run in range(self.runs):
            country = world.pick(dice)
            homes = rent_homes(world, dice, max(1, self.addresses // self.runs), country)
            attacker = Attacker("sequential", dice, homes, max(1, self.devices // self.runs))
            stride, order = self.strides[run % len(self.strides)], self.orders[run % len(self.orders)]
            numbers = list(self._run(world.numbers[country], stride, order, dice))
            times = pace(dice, self.begin + run * self.apart, self.rates[run % len(self.rates)])
            yield from (attacker.ask(t, number) for t, number in zip(times, numbers, strict=False))

    def _run(self, numbers: Numbering, stride: int, order: NumberOrder, dice: Dice) -> Iterator[str]:
        strands = STRANDS if order == "interleaved" else 1
        parts = [self._strand(numbers, stride, self.length // strands, dice) for _ in range(strands)]
        run = list(chain.from_iterable(zip(*parts, strict=True)))
        if order == "backwards":
            run.reverse()
        for begin in range(0, len(run), WINDOW):
            window = run[begin : begin + WINDOW]
            yield from dice.shuffle(window) if order == "shuffled" else window

    def _strand(self, numbers: Numbering, stride: int, length: int, dice: Dice) -> list[str]:
        first = numbers.rent(dice, digits=4).draw(dice)
        steps = numbers.neighbours(first, stride)
        return list(islice((step for step in steps if not dice.chance(self.skip)), length))
