"""The base of scenarios without an attack: a group of honest people among others.

Used by shared_addresses, rushes and deliveries, and by attacks among people of their own. The group's lines are
labelled `person:group`, so that what a policy does to it is told apart from what it does to everybody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.habits import DAY, HOUR, Habits
from service.simulation.population.people import Person, visit
from service.simulation.scenarios.ordinary import Scenario
from service.simulation.trace import TraceLine

MINUTE = 60.0
GROUP = "person:group"
# Two days of people, the second with the group: enough for histories, and played in seconds.
QUIET = {"offices": 2, "companies": 0, "families": 4, "launch": 0, "push": 1.0}
AROUND = Habits(days=2, visits=350, **QUIET)  # type: ignore[arg-type]  # a dict's values are of one type
# The share of people who enter their code where nothing is known of their country.
USUAL = 0.7


class Group(Scenario, frozen=True, kw_only=True):
    """A group of honest people."""

    people: Habits = AROUND

    def morning(self, dice: Dice) -> float:
        """Draw when the group's day begins: the last of the trace."""
        return (self.people.days - 1) * DAY + dice.between(7, 10) * HOUR

    def come(self, person: Person, t: float, dice: Dice, converts: float = USUAL) -> Iterator[TraceLine]:
        """Yield a visit of one of the group; `converts`: the share of its requests whose code is entered."""
        enters = dice.chance(min(1.0, converts * (1 + self.people.resend)))
        yield from label_group(visit(person, self.people, t, dice, converts=enters))


def label_group(lines: Iterable[TraceLine]) -> Iterator[TraceLine]:
    """Label lines of people as the group's."""
    return (msgspec.structs.replace(line, label=GROUP) for line in lines)
