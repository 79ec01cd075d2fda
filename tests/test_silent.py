"""What decoys are imitated from: real calls of the last half minute, and nothing ever leaves for one."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.providers.base import CheckAnswer, InDoubt, Judged, NotJudged, Order, Sent, State
from service.providers.silent import Silent
from service.providers.telnyx import Telnyx
from service.providers.timings import ENOUGH, KEPT, Kind, Timed, Timings
from service.sandbox.faults import Fault
from service.sandbox.stage import Stage
from service.sandbox.telnyx_app import create_telnyx
from service.sandbox.telnyx_service import PROFILE_ID
from tests.support.serving import serve_app
from tests.test_breaker import Clock

ORDER = Order("+13035551234", "sms", PROFILE_ID, 305)
ID = "12ade33a-21c0-473b-b055-b3c836e1c292"
KINDS: list[Kind] = ["send", "check", "state"]


class House:
    """A timed provider in front of a stand-in, and the silent one beside it."""

    def __init__(self, telnyx: Telnyx, stage: Stage) -> None:
        self.stage = stage
        self.timings = Timings()
        self.real = Timed(telnyx, self.timings)
        self.silent = Silent(self.timings, self.real)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    app = create_telnyx()
    async with serve_app(app) as url:
        telnyx = Telnyx("KEY_SANDBOX", f"{url}/v2")
        await telnyx.start()
        house = House(telnyx, app.state.stage)
        yield house
        await house.silent.aclose()
        await house.real.aclose()


async def test_a_silent_send_is_taken_and_reaches_nobody(house: House) -> None:
    house.timings.record("send", 0.001)
    sent = [await house.silent.send(ORDER) for _ in range(3)]
    assert all(isinstance(one, Sent) and uuid.UUID(one.provider_id) for one in sent)
    assert len({repr(one) for one in sent}) == 3
    assert house.stage.journal.count() == {}


async def test_a_silent_call_takes_as_long_as_a_real_one_did(house: House) -> None:
    house.stage.latency = {"send": 0.12, "check": 0.08}
    sent = await house.real.send(ORDER)
    assert isinstance(sent, Sent)
    await asyncio.gather(*(house.real.check(sent.provider_id, "000000") for _ in range(ENOUGH)))
    for call, seconds in ((house.silent.send(ORDER), 0.12), (house.silent.check(ID, "000000"), 0.08)):
        started = time.monotonic()
        await call
        assert time.monotonic() - started >= seconds
    assert house.stage.journal.count() == {"send": 1, "check": ENOUGH}


async def test_with_too_few_calls_to_imitate_one_harmless_call_is_made_for_all_who_wait(house: House) -> None:
    house.stage.latency = {"check": 0.05}
    started = time.monotonic()
    answers = await asyncio.gather(*(house.silent.check(ID, "000000") for _ in range(20)))
    assert time.monotonic() - started >= 0.05
    assert answers == [Judged(accepted=False)] * 20
    assert house.stage.journal.count() == {"check": 1}


async def test_when_telnyx_is_down_a_decoys_code_is_not_judged_either(house: House) -> None:
    house.stage.faults.add(Fault(kind="error500"))
    assert await house.silent.check(ID, "000000") == NotJudged("http_500")
    assert isinstance(await house.silent.send(ORDER), Sent)


async def test_the_end_of_a_real_check_is_the_end_of_a_silent_one_and_never_accepted(house: House) -> None:
    sent = await house.real.send(ORDER)
    assert isinstance(sent, Sent)
    house.stage.faults.add(Fault(kind="throttle", operations=("check",), seconds=9, times=ENOUGH))
    for _ in range(ENOUGH):
        assert await house.real.check(sent.provider_id, "000000") == NotJudged("10011", 9.0)
    drawn = await house.silent.check(ID, "000000")
    assert isinstance(drawn, NotJudged)
    assert drawn.after is not None
    assert 0 < drawn.after < 9.0


async def test_without_a_real_provider_it_waits_a_little_and_says_wrong() -> None:
    silent = Silent(Timings())
    assert await silent.check(ID, "000000") == Judged(accepted=False)
    assert await silent.state(ID) == State(accepted=False)
    assert await silent.look_up("+13035551234") == []


async def test_what_is_left_in_doubt_is_settled_as_a_real_one_would_be() -> None:
    timings = Timings()
    for _ in range(ENOUGH):
        timings.record("check", 0.0, InDoubt("time_limit"))
        timings.record("state", 0.0, NotJudged("no_connection"))
    silent = Silent(timings)
    assert await silent.check(ID, "000000") == InDoubt("time_limit")
    assert await silent.state(ID) == NotJudged("no_connection")


def test_only_calls_of_the_last_half_minute_are_drawn() -> None:
    clock = Clock()
    timings = Timings(clock)
    timings.record("check", 1.0)
    clock.pass_by(20)
    timings.record("check", 2.0)
    clock.pass_by(11)
    assert {timing.seconds for timing in (timings.draw("check") for _ in range(50)) if timing} == {2.0}
    clock.pass_by(20)
    assert timings.draw("check") is None
    assert timings.draw("send") is None


def test_what_begins_and_ends_like_an_outage_is_drawn_from_the_last_two_seconds_alone() -> None:
    clock = Clock()
    timings = Timings(clock)
    for _ in range(ENOUGH):
        timings.record("check", 0.1)
    clock.pass_by(1.8)
    assert timings.draw_present("check")
    for _ in range(ENOUGH - 1):
        timings.record("check", 0.1, NotJudged("http_500"))
    clock.pass_by(0.2)
    assert timings.draw_present("check") is None
    timings.record("check", 0.1, NotJudged("http_500"))
    assert {timing.outcome for timing in (timings.draw_present("check") for _ in range(50)) if timing} == {
        NotJudged("http_500")
    }
    for _ in range(ENOUGH):
        timings.record("state", 2.1)
    assert timings.draw_present("state") is None


def test_every_fresh_call_can_be_drawn() -> None:
    timings = Timings()
    for seconds in (1.0, 2.0, 3.0):
        timings.record("send", seconds)
    assert {timing.seconds for timing in (timings.draw("send") for _ in range(300)) if timing} == {1.0, 2.0, 3.0}


outcomes = st.one_of(
    st.builds(Judged, st.booleans()),
    st.builds(NotJudged, st.just("10011"), st.none() | st.floats(0, 60)),
    st.builds(InDoubt, st.just("time_limit")),
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 9), outcomes, st.floats(0, 40)), max_size=60))
def test_nothing_drawn_is_old_accepted_or_longer_than_what_was_recorded(
    calls: list[tuple[Kind, float, CheckAnswer, float]],
) -> None:
    clock = Clock()
    timings = Timings(clock)
    for kind, seconds, outcome, pause in calls:
        timings.record(kind, seconds, outcome)
        clock.pass_by(pause)
        drawn = timings.draw(kind)
        assert (drawn is None) == (pause > 30)
        if drawn:
            assert drawn.outcome != Judged(accepted=True)
            assert clock() - drawn.at <= 30
            assert drawn.seconds in [one[1] for one in calls]


def test_what_is_kept_is_bounded() -> None:
    timings = Timings()
    for _ in range(10_000):
        timings.record("send", 0.1)
    assert len(timings._kept["send"]) == KEPT
