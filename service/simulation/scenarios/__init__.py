"""Scenarios by name: traces made from a seed and some knobs, with ordinary people and one attack among them.

Called by cli. The same name, seed and knobs give the same trace on every machine; two scenarios with the same seed and
`people` knobs have the same people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.world import ScenarioError, World
from service.simulation.scenarios.browsers import Headless, Replayed
from service.simulation.scenarios.destinations import Unserved, VoicePremium
from service.simulation.scenarios.ordinary import Ordinary, Scenario, live
from service.simulation.scenarios.ranges import OneCountry, Patient, Ranges
from service.simulation.scenarios.sequential import Sequential
from service.simulation.scenarios.sources import Burst, OneUse, Trickle
from service.simulation.trace import TraceLine

SCENARIOS: dict[str, type[Scenario]] = {
    "ordinary": Ordinary,
    "sequential": Sequential,
    "range": Ranges,
    "country": OneCountry,
    "burst": Burst,
    "trickle": Trickle,
    "one_use": OneUse,
    "unserved": Unserved,
    "voice_premium": VoicePremium,
    "replayed": Replayed,
    "headless": Headless,
    "patient": Patient,
}


def compose(name: str, seed: int, knobs: Mapping[str, Any] | None = None) -> list[TraceLine]:
    """Make a trace, in order of time. `knobs` overrides fields of the scenario. Raises ScenarioError."""
    scenario = configure(name, knobs or {})
    world = World(Dice(f"world/{seed}"), scenario.people.countries)
    lines = [*scenario.attack(world, Dice(f"{name}/{seed}")), *live(world, scenario.people, Dice(f"people/{seed}"))]
    return sorted(lines, key=lambda line: line.t)


def configure(name: str, knobs: Mapping[str, Any]) -> Scenario:
    """Build a scenario from its knobs; texts such as "3" are read as numbers. Raises ScenarioError."""
    if name not in SCENARIOS:
        raise ScenarioError(f"there is no scenario {name}; there are {', '.join(SCENARIOS)}")
    try:
        return msgspec.convert(dict(knobs), SCENARIOS[name], strict=False)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"scenario {name}: {error}") from None
