"""A look-up of a device event ends by its deadline and in the right word, by API v4 and by API v3 alike."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.providers.fingerprint.event import (
    EventFound,
    EventMalformed,
    EventStale,
    EventUnavailable,
    EventUnknown,
    FingerprintAccountProblem,
    QuotaSpent,
)
from service.sandbox.faults import FaultKind
from tests.support.devices import VERSIONS, LookupRig, fresh_id, run_rig


@pytest.fixture(params=VERSIONS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[LookupRig]:
    async with run_rig(request.param, seconds=0.6) as rig:
        yield rig


async def test_an_event_is_found_with_one_call(rig: LookupRig) -> None:
    event_id = rig.mint(bot="bad")
    assert (await rig.find(event_id)).bot == "bad"
    assert rig.count() == 1


async def test_what_an_id_says_by_itself_costs_no_call(rig: LookupRig) -> None:
    assert await rig.look_up("forged") == EventMalformed()
    assert await rig.look_up(rig.mint() + "/../../visitors") == EventMalformed()
    assert await rig.look_up(rig.mint(age=601)) == EventStale()
    assert await rig.look_up(rig.mint(age=-90)) == EventMalformed()
    assert rig.count() == 0


async def test_how_old_is_too_old_is_the_callers_to_say(rig: LookupRig) -> None:
    event_id, end = rig.mint(age=700), time.monotonic() + 5
    answer = await rig.fingerprint.read(event_id, now=datetime.now(UTC), deadline=end, fresh_for=800)
    assert isinstance(answer, EventFound)
    before = datetime.now(UTC) - timedelta(seconds=200)
    assert isinstance(await rig.fingerprint.read(event_id, now=before, deadline=end), EventFound)


async def test_an_event_that_is_older_than_its_id_is_stale(rig: LookupRig) -> None:
    stored = rig.standing.find(rig.mint(age=660))
    assert stored
    alias = fresh_id()
    rig.standing._events[alias] = stored
    assert await rig.look_up(alias) == EventStale()


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("error500", EventUnavailable),
        ("hang_before", EventUnavailable("time_limit")),
        ("reset_before", EventUnavailable("broken_off")),
        ("reset_after", EventUnavailable("broken_off")),
        ("garbage", EventUnavailable("unreadable")),
        ("gateway_timeout", EventUnavailable("http_504")),
        ("unauthorized", FingerprintAccountProblem),
        ("forbidden", FingerprintAccountProblem),
    ],
)
async def test_a_failure_is_named_at_once_and_not_asked_away(rig: LookupRig, kind: FaultKind, answer: Any) -> None:
    rig.break_with(kind)
    got = await rig.look_up(rig.mint())
    assert isinstance(got, answer) if isinstance(answer, type) else got == answer
    # aiohttp repeats a GET whose connection dies, once; the package must not.
    assert rig.count() <= (2 if kind.startswith("reset") and rig.fingerprint.name == "fingerprint_v4" else 1)


async def test_an_event_that_is_seconds_old_and_not_there_yet_is_asked_for_once_more(rig: LookupRig) -> None:
    assert isinstance(await rig.look_up(rig.mint(visible_after=0.2)), EventFound)
    assert rig.count() == 2
    assert await rig.look_up(fresh_id()) == EventUnknown("not_found")
    assert rig.count() == 4


async def test_an_older_event_that_is_not_there_is_forged_at_once(rig: LookupRig) -> None:
    assert await rig.look_up(rig.mint(age=30, visible_after=60)) == EventUnknown("not_found")
    assert rig.count() == 1


async def test_an_event_that_is_not_ready_is_asked_for_again_until_the_deadline(rig: LookupRig) -> None:
    code = "state_not_ready" if rig.fingerprint.name == "fingerprint_v4" else "StateNotReady"
    rig.break_with("answer", status=409, code=code, times=2)
    assert isinstance(await rig.look_up(rig.mint()), EventFound)
    assert rig.count() == 3
    rig.break_with("answer", status=409, code=code)
    assert await rig.look_up(rig.mint(), within=1.0) == EventUnavailable("state_not_ready")


async def test_nobody_is_a_forger_because_there_was_no_time_to_ask_again(rig: LookupRig) -> None:
    assert await rig.look_up(rig.mint(visible_after=60), within=0.3) == EventUnavailable("not_found_yet")


async def test_a_spent_quota_is_waited_for(rig: LookupRig) -> None:
    rig.break_with("throttle", times=1)
    assert isinstance(await rig.look_up(rig.mint()), EventFound)
    assert rig.count() == 2


async def test_a_quota_that_stays_spent_until_the_deadline_is_the_answer(rig: LookupRig) -> None:
    rig.break_with("throttle")
    started = time.monotonic()
    assert isinstance(await rig.look_up(rig.mint(), within=2.5), QuotaSpent)
    assert time.monotonic() - started < 3.5
    assert rig.count() >= 2


async def test_one_that_was_turned_away_speaks_for_all(rig: LookupRig) -> None:
    rig.break_with("throttle", times=1, seconds=4)
    assert isinstance(await rig.look_up(rig.mint(), within=0.5), QuotaSpent)
    assert isinstance(await rig.look_up(rig.mint(), within=2.5), QuotaSpent)
    assert rig.count() == 1
