"""Groups of honest people are as their names say, and each is drawn from its seed."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from service import phone
from service.simulation.scenarios import GROUPS, compose
from service.simulation.trace import TraceLine, served

SEEDS = (1, 2, 3)
some_seeds = pytest.mark.parametrize("seed", SEEDS)


@cache
def group(name: str, seed: int) -> list[TraceLine]:
    return [line for line in compose(name, seed) if line.label == "person:group"]


def conversion(lines: list[TraceLine]) -> float:
    return sum(line.verifies for line in lines) / len(lines)


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_groups_size_is_drawn_from_its_seed_and_nobody_in_it_attacks(name: str) -> None:
    traces = [group(name, seed) for seed in SEEDS]
    assert len({len(lines) for lines in traces}) > 1
    assert all(20 <= len(lines) <= 1500 for lines in traces)
    assert not any(line.hostile for line in compose(name, 1))
    assert {phone.describe(line.phone_number).country for line in traces[0]} <= set(served(compose(name, 1)))


@some_seeds
@pytest.mark.parametrize("name", ["onboarding", "office", "school_class", "dormitory", "call_centre", "conference"])
def test_such_a_group_has_one_address(name: str, seed: int) -> None:
    assert len({line.ip_address for line in group(name, seed)}) == 1


@some_seeds
def test_a_kiosk_is_one_device_and_a_conference_of_many_countries(seed: int) -> None:
    assert len({line.device.visitor_id for line in group("kiosk", seed) if line.device}) == 1
    countries = {phone.describe(line.phone_number).country for line in group("conference", seed)}
    assert len(countries) >= 8


@some_seeds
def test_an_employers_numbers_lie_within_a_thousand_or_two_and_convert(seed: int) -> None:
    numbers = [int(line.phone_number[1:]) for line in group("employer", seed)]
    assert max(numbers) - min(numbers) < 5000
    assert conversion(group("employer", seed)) > 0.5


@some_seeds
def test_a_country_that_converts_badly_does(seed: int) -> None:
    assert 0.33 < conversion(group("low_conversion", seed)) < 0.48


@some_seeds
def test_during_an_outage_nothing_arrives_and_the_operator_mostly_says_so(seed: int) -> None:
    for name in ("outage", "ported_range"):
        failed = [line for line in group(name, seed) if not line.delivered]
        assert len(failed) > 10
        assert conversion(failed) == 0


@some_seeds
def test_a_mailing_brings_people_who_verified_before(seed: int) -> None:
    verified = Counter(line.phone_number for line in group("reverification", seed) if line.verifies)
    assert sum(count > 1 for count in verified.values()) > 20
