"""A look-up of a device event ends by its deadline and in the right word, by API v4 and by API v3 alike."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.providers.device import Down, Found, Malformed, Ours, Quota, Stale, Unknown
from service.sandbox.faults import FaultKind
from tests.support.devices import VERSIONS, House, fresh_id, run_house


@pytest.fixture(params=VERSIONS)
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with run_house(request.param, seconds=0.6) as house:
        yield house


async def test_an_event_is_found_with_one_call(house: House) -> None:
    event_id = house.mint(bot="bad")
    assert (await house.find(event_id)).bot == "bad"
    assert house.count() == 1


async def test_what_an_id_says_by_itself_costs_no_call(house: House) -> None:
    assert await house.look_up("forged") == Malformed()
    assert await house.look_up(house.mint() + "/../../visitors") == Malformed()
    assert await house.look_up(house.mint(age=121)) == Stale()
    assert await house.look_up(house.mint(age=-90)) == Malformed()
    assert house.count() == 0


async def test_how_old_is_too_old_is_the_callers_to_say(house: House) -> None:
    event_id, end = house.mint(age=200), time.monotonic() + 5
    answer = await house.fingerprint.read(event_id, now=datetime.now(UTC), deadline=end, fresh_for=300)
    assert isinstance(answer, Found)
    before = datetime.now(UTC) - timedelta(seconds=100)
    assert isinstance(await house.fingerprint.read(event_id, now=before, deadline=end), Found)


async def test_an_event_that_is_older_than_its_id_is_stale(house: House) -> None:
    stored = house.standing.find(house.mint(age=600))
    assert stored
    alias = fresh_id()
    house.standing._events[alias] = stored
    assert await house.look_up(alias) == Stale()


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("error500", Down),
        ("hang_before", Down("time_limit")),
        ("reset_before", Down("broken_off")),
        ("reset_after", Down("broken_off")),
        ("garbage", Down("unreadable")),
        ("gateway_timeout", Down("http_504")),
        ("unauthorized", Ours),
        ("forbidden", Ours),
    ],
)
async def test_a_failure_is_named_at_once_and_not_asked_away(house: House, kind: FaultKind, answer: Any) -> None:
    house.break_with(kind)
    got = await house.look_up(house.mint())
    assert isinstance(got, answer) if isinstance(answer, type) else got == answer
    # aiohttp repeats a GET whose connection dies, once; the package must not.
    assert house.count() <= (2 if kind.startswith("reset") and house.fingerprint.name == "fingerprint_v4" else 1)


async def test_an_event_that_is_seconds_old_and_not_there_yet_is_asked_for_once_more(house: House) -> None:
    assert isinstance(await house.look_up(house.mint(visible_after=0.2)), Found)
    assert house.count() == 2
    assert await house.look_up(fresh_id()) == Unknown("not_found")
    assert house.count() == 4


async def test_an_older_event_that_is_not_there_is_forged_at_once(house: House) -> None:
    assert await house.look_up(house.mint(age=30, visible_after=60)) == Unknown("not_found")
    assert house.count() == 1


async def test_nobody_is_a_forger_because_there_was_no_time_to_ask_again(house: House) -> None:
    assert await house.look_up(house.mint(visible_after=60), within=0.3) == Down("not_found_yet")


async def test_a_spent_quota_is_waited_for(house: House) -> None:
    house.break_with("throttle", times=1)
    assert isinstance(await house.look_up(house.mint()), Found)
    assert house.count() == 2


async def test_a_quota_that_stays_spent_until_the_deadline_is_the_answer(house: House) -> None:
    house.break_with("throttle")
    started = time.monotonic()
    assert isinstance(await house.look_up(house.mint(), within=2.5), Quota)
    assert time.monotonic() - started < 3.5
    assert house.count() >= 2


async def test_one_that_was_turned_away_speaks_for_all(house: House) -> None:
    house.break_with("throttle", times=1, seconds=4)
    assert isinstance(await house.look_up(house.mint(), within=0.5), Quota)
    assert isinstance(await house.look_up(house.mint(), within=2.5), Quota)
    assert house.count() == 1
