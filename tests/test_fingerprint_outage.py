"""An outage of Fingerprint's holds nobody for long, and nobody can bring one about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.providers.device import Down, Found
from service.providers.fingerprint import Fingerprint
from service.providers.fingerprint_v3 import V3
from tests.support.devices import VERSIONS, House, Version, look_up, run_house


@pytest.fixture(params=VERSIONS)
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with run_house(request.param, seconds=0.6) as house:
        yield house


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_outage_is_asked_about_by_one_at_a_time_and_its_end_is_noticed(version: Version) -> None:
    async with run_house(version, seconds=0.6) as house:
        house.break_with("error500", times=5)
        for _ in range(5):
            assert isinstance(await house.look_up(house.mint()), Down)
        assert house.fingerprint.breaker.open
        assert await house.look_up(house.mint()) == Down("breaker_open")
        assert house.count() == 5
        house.fingerprint.breaker._open_until = 0.0
        house.stage.latency["event"] = 0.1
        answers = await asyncio.gather(*(house.look_up(house.mint()) for _ in range(10)))
        assert sum(isinstance(answer, Found) for answer in answers) == 1
        assert house.count() == 6
        assert isinstance(await house.look_up(house.mint()), Found)


async def test_what_a_visitor_can_bring_about_opens_no_breaker(house: House) -> None:
    for kind in ("garbage", "not_found", "unauthorized", "throttle"):
        house.stage.faults.clear()
        house.break_with(kind)
        for _ in range(6):
            house.fingerprint._paused_until = 0.0
            await house.look_up(house.mint(age=30), within=1.0)
    assert house.count() == 24
    assert not house.fingerprint.breaker.open


async def test_our_own_crowd_opens_no_breaker() -> None:
    async with run_house("v3") as house:
        house.stage.latency["event"] = 0.6
        crowd = Fingerprint(V3(house.standing.settings.secret_key, house.url, threads=1), seconds=1.0)
        await crowd.start()
        answers = await asyncio.gather(*(look_up(crowd, house.mint()) for _ in range(12)))
        assert sum(isinstance(answer, Found) for answer in answers) == 1
        assert not crowd.breaker.open
        await crowd.aclose()


async def test_a_look_up_that_is_given_up_leaves_the_breaker_usable(house: House) -> None:
    house.stage.latency["event"] = 0.3
    breaker = house.fingerprint.breaker
    for _ in range(5):
        breaker.note(outage=True)
    breaker._open_until = 0.0
    asked = asyncio.create_task(house.look_up(house.mint()))
    await asyncio.sleep(0.05)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert isinstance(await house.look_up(house.mint()), Found)
