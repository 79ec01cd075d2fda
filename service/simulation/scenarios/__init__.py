"""Scenarios by name: traces made from a seed and some knobs, with ordinary people and one attack or group among them.

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
from service.simulation.scenarios.deliveries import LowConversion, Outage, PortedRange, QuietNights, Reverification
from service.simulation.scenarios.destinations import Unserved, VoicePremium
from service.simulation.scenarios.groups import Group
from service.simulation.scenarios.mimics import Bombing, CountriesInTurn, HiddenInDay, SimBank, VerifiedOnce
from service.simulation.scenarios.ordinary import Ordinary, Scenario, live
from service.simulation.scenarios.ranges import OneCountry, Patient, Ranges
from service.simulation.scenarios.rotations import Farm, FourADevice, SlowTrickle, SmallOperators, VirtualOperator
from service.simulation.scenarios.rushes import Advertisement, Evening, Launch
from service.simulation.scenarios.sequential import Sequential
from service.simulation.scenarios.shared_addresses import (
    CallCentre,
    Conference,
    Dormitory,
    Employer,
    Kiosk,
    Office,
    Onboarding,
    SchoolClass,
    Travellers,
)
from service.simulation.scenarios.sources import Burst, OneUse, Trickle
from service.simulation.trace import TraceLine

# One attack on an ordinary day each, with fixed sizes unless a knob changes them.
ATTACKS: dict[str, type[Scenario]] = {
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
# Attacks and groups of honest people whose sizes and paces are drawn from the seed.
DRAWN_ATTACKS: dict[str, type[Scenario]] = {
    "verified_once": VerifiedOnce,
    "hidden_in_day": HiddenInDay,
    "countries_in_turn": CountriesInTurn,
    "virtual_operator": VirtualOperator,
    "small_operators": SmallOperators,
    "four_a_device": FourADevice,
    "sim_bank": SimBank,
    "slow_trickle": SlowTrickle,
    "bombing": Bombing,
    "farm": Farm,
}
GROUPS: dict[str, type[Group]] = {
    "onboarding": Onboarding,
    "office": Office,
    "school_class": SchoolClass,
    "dormitory": Dormitory,
    "advertisement": Advertisement,
    "evening": Evening,
    "launch": Launch,
    "call_centre": CallCentre,
    "kiosk": Kiosk,
    "conference": Conference,
    "travellers": Travellers,
    "employer": Employer,
    "ported_range": PortedRange,
    "outage": Outage,
    "low_conversion": LowConversion,
    "quiet_nights": QuietNights,
    "reverification": Reverification,
}
SCENARIOS: dict[str, type[Scenario]] = {"ordinary": Ordinary} | ATTACKS | DRAWN_ATTACKS | GROUPS


def compose(name: str, seed: int, knobs: Mapping[str, Any] | None = None) -> list[TraceLine]:
    """Make a trace, in order of time. `knobs` overrides fields of the scenario. Raises ScenarioError."""
    scenario = configure(name, knobs or {})
    world = World(Dice(f"world/{seed}"), scenario.people.countries)
    lines = [*scenario.add(world, Dice(f"{name}/{seed}")), *live(world, scenario.people, Dice(f"people/{seed}"))]
    return sorted(lines, key=lambda line: line.t)


def configure(name: str, knobs: Mapping[str, Any]) -> Scenario:
    """Build a scenario from its knobs; texts such as "3" are read as numbers. Raises ScenarioError."""
    if name not in SCENARIOS:
        raise ScenarioError(f"there is no scenario {name}; there are {', '.join(SCENARIOS)}")
    try:
        return msgspec.convert(dict(knobs), SCENARIOS[name], strict=False)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"scenario {name}: {error}") from None
