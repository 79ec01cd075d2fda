"""An outage of Fingerprint's holds nobody for long, and nobody can bring one about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.providers.fingerprint.client import FingerprintClient
from service.providers.fingerprint.event import EventFound, EventUnavailable
from service.providers.fingerprint.v3 import V3
from tests.support.devices import VERSIONS, LookupRig, Version, look_up, run_rig


@pytest.fixture(params=VERSIONS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[LookupRig]:
    async with run_rig(request.param, seconds=0.6) as rig:
        yield rig


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_outage_is_asked_about_by_one_at_a_time_and_its_end_is_noticed(version: Version) -> None:
    async with run_rig(version, seconds=0.6) as rig:
        rig.break_with("error500", times=5)
        for _ in range(5):
            assert isinstance(await rig.look_up(rig.mint()), EventUnavailable)
        assert rig.fingerprint.breaker.open
        assert await rig.look_up(rig.mint()) == EventUnavailable("breaker_open")
        assert rig.count() == 5
        rig.fingerprint.breaker._open_until = 0.0
        rig.stage.latency["event"] = 0.1
        answers = await asyncio.gather(*(rig.look_up(rig.mint()) for _ in range(10)))
        assert sum(isinstance(answer, EventFound) for answer in answers) == 1
        assert rig.count() == 6
        assert isinstance(await rig.look_up(rig.mint()), EventFound)


async def test_what_a_visitor_can_bring_about_opens_no_breaker(rig: LookupRig) -> None:
    for kind in ("garbage", "not_found", "unauthorized", "throttle"):
        rig.stage.faults.clear()
        rig.break_with(kind)
        for _ in range(6):
            rig.fingerprint._paused_until = 0.0
            await rig.look_up(rig.mint(age=30), within=1.0)
    assert rig.count() == 24
    assert not rig.fingerprint.breaker.open


async def test_our_own_crowd_opens_no_breaker() -> None:
    async with run_rig("v3") as rig:
        rig.stage.latency["event"] = 0.6
        crowd = FingerprintClient(V3(rig.standing.settings.secret_key, rig.url, threads=1), seconds=1.0)
        await crowd.start()
        answers = await asyncio.gather(*(look_up(crowd, rig.mint()) for _ in range(12)))
        assert sum(isinstance(answer, EventFound) for answer in answers) == 1
        assert not crowd.breaker.open
        await crowd.aclose()


async def test_a_look_up_that_is_given_up_leaves_the_breaker_usable(rig: LookupRig) -> None:
    rig.stage.latency["event"] = 0.3
    breaker = rig.fingerprint.breaker
    for _ in range(5):
        breaker.note(outage=True)
    breaker._open_until = 0.0
    asked = asyncio.create_task(rig.look_up(rig.mint()))
    await asyncio.sleep(0.05)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert isinstance(await rig.look_up(rig.mint()), EventFound)
