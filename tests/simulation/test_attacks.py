"""Each attack has the character that its name promises, whatever the seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import pairwise

import msgspec
import pytest

from service import phone
from service.policy.loading import parse
from service.policy.units import Window
from service.simulation.scenarios import ATTACKS as REGISTERED
from service.simulation.scenarios import DRAWN_ATTACKS, compose
from service.simulation.trace import TraceDevice, TraceLine, served

SEEDS = (1, 2, 3)
FEW = {"people": {"visits": 100, "push": 1, "launch": 20, "offices": 5, "companies": 1, "families": 5}}
ATTACKS = sorted(REGISTERED)
TRACES = [(name, seed) for name in ATTACKS for seed in SEEDS]
some_seeds = pytest.mark.parametrize("seed", SEEDS)


@cache
def scenario(name: str, seed: int) -> list[TraceLine]:
    return compose(name, seed, FEW)


def attack(name: str, seed: int) -> list[TraceLine]:
    return [line for line in scenario(name, seed) if line.label != "person"]


def devices(lines: list[TraceLine]) -> list[TraceDevice]:
    return [line.device for line in lines if line.device is not None]


@pytest.mark.parametrize(("name", "seed"), TRACES)
def test_a_trace_is_in_order_and_labelled(name: str, seed: int) -> None:
    trace = scenario(name, seed)
    assert {line.label for line in trace} == {"person", f"attack:{name}"}
    assert [line.t for line in trace] == sorted(line.t for line in trace)
    assert 400 <= len(attack(name, seed)) <= 1500


@pytest.mark.parametrize("name", ["sequential", "trickle"])
def test_a_trace_plays_in_minutes_and_the_people_change_no_attack(name: str) -> None:
    trace = compose(name, 1)
    assert 5_000 <= len(trace) <= 20_000
    assert [line for line in trace if line.label != "person"] == attack(name, 1)


@pytest.mark.parametrize(("name", "seed"), TRACES)
def test_one_event_is_one_devices_and_grows_older(name: str, seed: int) -> None:
    known: dict[str, tuple[str, str | None, float]] = {}
    for line in scenario(name, seed):
        if (device := line.device) is not None:
            visitor, address, born = known.setdefault(
                device.event_id, (device.visitor_id, device.ip_address, line.t - device.age)
            )
            assert (device.visitor_id, device.ip_address) == (visitor, address)
            assert line.t - device.age == pytest.approx(born, abs=0.01)


@pytest.mark.parametrize(("name", "seed"), TRACES)
def test_only_the_patient_one_verifies_and_every_number_is_valid(name: str, seed: int) -> None:
    lines = attack(name, seed)
    assert all(phone.describe(line.phone_number).valid for line in lines)
    assert any(line.verifies for line in lines) == (name == "patient")


@some_seeds
@pytest.mark.parametrize("name", sorted(set(ATTACKS) - {"unserved"}))
def test_the_others_ask_for_countries_that_are_served(name: str, seed: int) -> None:
    countries = {phone.describe(line.phone_number).country for line in attack(name, seed)}
    assert countries <= set(served(scenario(name, seed)))


@some_seeds
def test_sequential_numbers_lie_a_few_steps_apart_and_peoples_do_not(seed: int) -> None:
    def near(lines: list[TraceLine]) -> float:
        numbers = sorted({int(line.phone_number[1:]) for line in lines})
        return sum(after - before <= 40 for before, after in pairwise(numbers)) / len(numbers)

    assert near(attack("sequential", seed)) > 0.9
    quiet = {"offices": 0, "companies": 0, "families": 0}
    assert near(compose("ordinary", seed, {"people": {"visits": 1000, **quiet}})) < 0.06


@some_seeds
def test_a_rented_range_holds_all_its_numbers(seed: int) -> None:
    numbers = [line.phone_number for line in attack("range", seed)]
    assert [
        len({number[:-digits] for number in numbers[place * 350 :][:350]}) for place, digits in enumerate((3, 4, 5))
    ] == [1, 1, 1]
    assert len(set(numbers[:350])) > 200


@some_seeds
def test_a_pumped_country_is_one_and_its_prefixes_few(seed: int) -> None:
    numbers = {line.phone_number for line in attack("country", seed)}
    assert len({phone.describe(number).country for number in numbers}) == 1
    assert len({number[:-6] for number in numbers}) <= 4
    assert len({number[:-4] for number in numbers}) > 150


@some_seeds
def test_each_burst_has_one_source(seed: int) -> None:
    lines = attack("burst", seed)
    address, network, subnets, device = (lines[place : place + 250] for place in range(0, 1000, 250))
    assert len({line.ip_address for line in address}) == 1
    assert len({str(line.ip_address).rpartition(".")[0] for line in network}) == 1
    assert len({limited_as(line.ip_address) for line in subnets}) == 250
    assert len({str(line.ip_address)[:14] for line in subnets}) <= 2
    assert len({found.visitor_id for found in devices(device)}) == 1
    assert all(burst[-1].t - burst[0].t < 1200 for burst in (address, network, subnets, device))


def limited_as(address: str | None) -> str:
    assert address is not None
    return address if ip_address(address).version == 4 else str(ip_network(f"{address}/64", strict=False))


SUBJECTS: dict[str, Callable[[TraceLine], str]] = {
    "phone": lambda line: line.phone_number,
    "phone_everywhere": lambda line: line.phone_number,
    "ip": lambda line: limited_as(line.ip_address),
    "account": lambda line: str(line.account_id),
    "device": lambda line: devices([line])[0].visitor_id,
}


@some_seeds
def test_the_trickle_stays_under_every_shipped_limit(seed: int) -> None:
    lines, limits = attack("trickle", seed), parse("").default.limits
    shipped: dict[str, list[Window]] = {**msgspec.structs.asdict(limits), "device": [Window(5, 86400)]}
    for name, windows in shipped.items():
        times = defaultdict(list)
        for line in lines:
            times[SUBJECTS[name.removesuffix("_total")](line)].append(line.t)
        for window in windows:
            assert max(most_within(window.seconds, seen) for seen in times.values()) < window.max, name
    assert most_within(60, [line.t for line in lines]) <= 2
    assert lines[-1].t - lines[0].t > 2 * 86400


def most_within(seconds: float, times: list[float]) -> int:
    return max(sum(begin <= t < begin + seconds for t in times) for begin in times)


@some_seeds
def test_one_use_never_comes_back(seed: int) -> None:
    lines = attack("one_use", seed)
    used = [line.ip_address for line in lines], [line.account_id for line in lines]
    seen = [found.visitor_id for found in devices(lines)], [found.event_id for found in devices(lines)]
    assert all(max(Counter(things).values()) == 1 for things in (*used, *seen))


@some_seeds
def test_unserved_countries_are_none_of_the_peoples(seed: int) -> None:
    countries = {phone.describe(line.phone_number).country for line in attack("unserved", seed)}
    assert len(countries) > 4
    assert not countries & set(served(scenario("unserved", seed)))


@some_seeds
def test_premium_numbers_want_to_be_called_some_after_a_message(seed: int) -> None:
    lines = attack("voice_premium", seed)
    assert {phone.describe(line.phone_number).kind for line in lines} == {"premium", "shared_cost"}
    called = {line.phone_number for line in lines if line.channel == "call"}
    assert called == {line.phone_number for line in lines}
    assert sum(line.channel == "sms" for line in lines) > 100


@some_seeds
def test_replayed_events_are_used_for_many_numbers(seed: int) -> None:
    lines = attack("replayed", seed)
    numbers = defaultdict(set)
    for line, device in zip(lines, devices(lines), strict=True):
        numbers[device.event_id].add(line.phone_number)
    assert {len(asked) for asked in numbers.values()} == {12}
    assert 0 < sum(device.replayed for device in devices(lines)) < len(lines) / 2
    assert any(device.age > 600 for device in devices(lines))


@some_seeds
def test_headless_browsers_are_never_clean(seed: int) -> None:
    seen = devices(attack("headless", seed))
    assert {device.bot for device in seen} == {"bad", "good", "not_detected", None}
    assert all(device.bot != "not_detected" or (device.suspect_score or 0) > 20 for device in seen)


@some_seeds
def test_the_patient_one_verifies_a_few_to_look_healthy(seed: int) -> None:
    lines = attack("patient", seed)
    assert 0.2 < sum(line.verifies for line in lines) / len(lines) < 0.4
    blocks = Counter(line.phone_number[:-4] for line in lines if not line.verifies)
    assert len(blocks) == 2


@pytest.mark.parametrize("name", sorted(DRAWN_ATTACKS))
def test_an_attacks_size_and_pace_are_drawn_from_its_seed(name: str) -> None:
    traces = [[line for line in compose(name, seed) if line.hostile] for seed in SEEDS]
    assert {line.label for lines in traces for line in lines} == {f"attack:{name}"}
    assert len({len(lines) for lines in traces}) > 1
    assert all(50 <= len(lines) <= 1500 for lines in traces)
    assert all(phone.describe(line.phone_number).valid for line in traces[0])


@some_seeds
def test_numbers_that_verify_once_ask_ever_after(seed: int) -> None:
    lines = attack("verified_once", seed)
    asked = Counter(line.phone_number for line in lines)
    assert {sum(line.verifies for line in lines if line.phone_number == number) for number in asked} == {1}
    assert sum(asked.values()) / len(asked) > 4


@some_seeds
def test_what_hides_in_a_day_takes_about_ten_points_of_its_conversion(seed: int) -> None:
    lines = [line for line in compose("hidden_in_day", seed) if line.label != "person" and line.t > 86_400]
    people = [line for line in lines if not line.hostile]
    assert 0.06 < sum(line.verifies for line in people) * (1 / len(people) - 1 / len(lines)) < 0.15


@some_seeds
def test_a_bombed_number_has_an_owner_who_verifies(seed: int) -> None:
    lines = compose("bombing", seed)
    (bombed,) = {line.phone_number for line in lines if line.hostile}
    assert any(line.verifies for line in lines if line.phone_number == bombed and not line.hostile)
