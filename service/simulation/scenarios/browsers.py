"""Attacks that the device event gives away: replayed ones, and headless browsers.

Registered as `replayed` and `headless`. Numbers are drawn like people's, so that nothing else gives the attack away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.simulation.population.dice import Dice, Wheel
from service.simulation.population.habits import Hours, Rate, Share, Size, Some
from service.simulation.population.world import World
from service.simulation.scenarios.attackers import Attacker, pace, rent_homes
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine


class Replayed(Scenario, frozen=True, kw_only=True):
    """Harvested events, each sent `uses` times with other numbers: `flagged` ones are known as replayed.

    The others look clean and go out every `quick` seconds, or every `slow` seconds, when they are soon stale.
    """

    begin: Hours = 8.0
    events: Size = 60
    uses: Size = 12
    rate: Rate = 15.0
    flagged: Share = 0.3
    quick: Rate = 6.0
    slow: Rate = 400.0
    addresses: Some = 200

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Send each event again and again, from the address that it was seen at."""
        begins = pace(dice, self.begin, self.rate)
        for flagged in dice.share(self.events, self.flagged):
            begin, step = next(begins), dice.pick((self.quick, self.slow))
            attacker = Attacker("replayed", dice, rent_homes(world, dice, 1), 1)
            event, age = dice.letters(10), round(dice.between(0.5, 4), 3)
            for use in range(self.uses):
                number = world.numbers[world.pick(dice)].draw(dice)
                same = {"event_id": event, "age": round(age + use * step, 3), "replayed": flagged, "suspect_score": 3}
                yield attacker.ask(begin + use * step, number, event=same)


class Headless(Scenario, frozen=True, kw_only=True):
    """Automated browsers.

    Shares of the requests: `bad` are known bots, `good` are friendly ones (crawlers), `suspect` have only a high score,
    and the rest have no verdict at all.
    """

    begin: Hours = 8.0
    requests: Size = 600
    rate: Rate = 240.0
    bad: Share = 0.6
    good: Share = 0.1
    suspect: Share = 0.15
    addresses: Some = 200
    devices: Some = 300

    def add(self, world: World, dice: Dice) -> Iterator[TraceLine]:
        """Yield the bots' requests."""
        rest = max(0.0, 1 - self.bad - self.good - self.suspect)
        looks = Wheel([("bad", self.bad), ("good", self.good), ("suspect", self.suspect), ("unknown", rest)])
        attacker = Attacker("headless", dice, rent_homes(world, dice, self.addresses), self.devices)
        times = pace(dice, self.begin, self.rate)
        for _ in range(self.requests):
            event = _appearance(looks.draw(dice), dice)
            yield attacker.ask(next(times), world.numbers[world.pick(dice)].draw(dice), event=event)


def _appearance(look: str, dice: Dice) -> dict[str, Any]:
    if look == "suspect":
        return {"suspect_score": dice.integer(21, 60)}
    if look == "unknown":
        return {"bot": None, "suspect_score": None}
    return {"bot": look, "suspect_score": dice.integer(7, 20)}
