"""The people of a trace are as people are, and the same for one seed everywhere."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

from service import phone
from service.simulation.population.countries import AWAKE, COUNTRIES
from service.simulation.population.dice import Dice, Wheel
from service.simulation.population.numbering import Numbering
from service.simulation.population.world import ScenarioError
from service.simulation.scenarios import SCENARIOS, compose, configure
from service.simulation.trace import TraceLine, served

CHECKOUT = Path(__file__).parents[2]
SEEDS = (1, 2)
MAKE = """
import sys, zlib, msgspec
from service.simulation.scenarios import compose
print(zlib.crc32(msgspec.json.encode(compose(sys.argv[1], 7, {"people": {"visits": 300}}))))
"""


@cache
def ordinary(seed: int) -> list[TraceLine]:
    return compose("ordinary", seed)


def by_country(trace: list[TraceLine]) -> dict[str | None, list[TraceLine]]:
    lines = defaultdict(list)
    for line in trace:
        lines[phone.describe(line.phone_number).country].append(line)
    return lines


@pytest.mark.parametrize("name", ["sequential", "voice_premium"])
def test_one_seed_is_one_trace_in_every_process(name: str) -> None:
    command = [sys.executable, "-c", MAKE, name]
    runs = [
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout


def test_chance_falls_as_it_always_has() -> None:
    """Every version of Python must give these values, or nobody can repeat a trace by its seed."""
    dice = Dice("a seed")
    wheel = Wheel([("often", 9), ("seldom", 1)])
    drawn = [dice.integer(1, 6) for _ in range(8)], dice.letters(6), dice.digits(4), wheel.draw(dice)
    assert drawn == ([3, 1, 5, 3, 6, 6, 5, 1], "nha5S6", "0477", "often")
    assert dice.shuffle(range(5)) == [0, 3, 4, 2, 1]


def test_another_seed_is_another_trace() -> None:
    assert ordinary(1) != ordinary(2)


def test_attacks_of_one_seed_come_among_the_same_people() -> None:
    few = {"people": {"visits": 50, "launch": 20, "push": 1}}
    alone = compose("ordinary", 1, few)
    for name in SCENARIOS:
        assert [line for line in compose(name, 1, few) if line.label == "person"] == alone, name


@pytest.mark.parametrize("seed", SEEDS)
def test_of_each_countrys_requests_60_to_80_percent_verify(seed: int) -> None:
    for country, lines in by_country(ordinary(seed)).items():
        assert len(lines) > 200, country
        assert 0.6 <= sum(line.verifies for line in lines) / len(lines) <= 0.8, country


@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_is_valid_and_of_a_country_that_is_served(seed: int) -> None:
    plans = [phone.describe(line.phone_number) for line in ordinary(seed)]
    assert all(plan.valid for plan in plans)
    assert all(phone.normalise(line.phone_number) == line.phone_number for line in ordinary(seed))
    assert {plan.kind for plan in plans} <= {"mobile", "fixed_or_mobile", "fixed"}
    assert served(ordinary(seed)) == sorted(COUNTRIES)


def test_numbers_crowd_in_some_ranges_and_spread_over_many() -> None:
    """Were all ranges as full, 3,000 people would have 79 blocks of ten thousand for each hundred numbers."""
    numbers = Numbering(COUNTRIES["CA"], Dice("a plan"))
    dice = Dice("people")
    blocks = Counter(numbers.draw(dice)[:-4] for _ in range(3000))
    assert 0.5 < len(blocks) / 3000 < 0.72
    assert max(blocks.values()) < 15


def test_people_sleep_at_night_by_their_own_clock() -> None:
    knobs = {"people": {"countries": ["AU"], "visits": 3000, "offices": 0, "companies": 0, "families": 0, "launch": 0}}
    hours = Counter(int(line.t / 3600) % 24 for line in compose("ordinary", 1, knobs))
    night, evening = (sum(hours[(hour - 11) % 24] for hour in span) for span in (range(1, 5), range(18, 22)))
    assert AWAKE[2] < AWAKE[19]
    assert night * 5 < evening


def test_people_ask_again_mistype_share_addresses_and_stay_away_from_device_checks() -> None:
    trace = ordinary(1)
    numbers, addresses = Counter(line.phone_number for line in trace), defaultdict(set)
    for line in trace:
        addresses[line.ip_address].add(line.phone_number)
    assert 0.05 < sum(count > 1 for count in numbers.values()) / len(numbers) < 0.25
    assert 0.04 < sum(line.wrong_codes > 0 for line in trace) / len(trace) < 0.15
    assert sum(len(people) >= 5 for people in addresses.values()) > 50
    assert 0.01 < sum(line.device is None for line in trace) / len(trace) < 0.06
    assert 0.2 < sum(":" in str(line.ip_address) for line in trace) / len(trace) < 0.6
    assert sum(line.channel == "call" for line in trace) > 50


def test_a_company_signs_up_in_a_row_from_one_address_and_verifies() -> None:
    trace = compose("ordinary", 1, {"people": {"visits": 0, "offices": 0, "families": 0, "launch": 0, "companies": 1}})
    numbers = sorted({int(line.phone_number[1:]) for line in trace})
    assert len(numbers) == 20
    assert numbers[-1] - numbers[0] < 30
    assert len({line.ip_address for line in trace}) == 1
    assert trace[-1].t - trace[0].t < 3.2 * 3600
    assert sum(line.verifies for line in trace) >= 15


def test_a_push_doubles_one_country_for_an_hour() -> None:
    quiet = {"countries": ["DE"], "visits": 4000, "offices": 0, "companies": 0, "families": 0, "launch": 0}
    calm, pushed = (compose("ordinary", 1, {"people": {**quiet, "push": factor}}) for factor in (1, 2))
    hours = Counter(int(line.t / 3600) for line in pushed)
    hours.subtract(Counter(int(line.t / 3600) for line in calm))
    (hour, more), (_, rest) = hours.most_common(2)
    assert hour == 18
    assert more > 10 * max(rest, 1)


@pytest.mark.parametrize(
    ("name", "knobs", "reason"),
    [
        ("weather", {}, "there is no scenario weather"),
        ("range", {"speed": 3}, "speed"),
        ("range", {"requests": -1}, "requests"),
        ("range", {"people": {"resend": 2}}, "resend"),
        ("ordinary", {"people": {"countries": ["XX"]}}, "XX"),
        ("country", {"country": "KP"}, "KP"),
        ("unserved", {"countries": ["US"]}, "served"),
        ("voice_premium", {"kinds": ["pager"], "people": {"countries": ["BR"]}}, "pager"),
    ],
)
def test_a_knob_that_cannot_be_turned_is_named(name: str, knobs: dict[str, object], reason: str) -> None:
    with pytest.raises(ScenarioError, match=reason):
        compose(name, 1, knobs)


def test_knobs_may_be_texts() -> None:
    assert configure("country", {"requests": "20", "rate": "60.5"}) == configure(
        "country", {"requests": 20, "rate": 60.5}
    )
