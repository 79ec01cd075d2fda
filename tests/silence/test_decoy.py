"""What decoys copy: real calls, each separately, or a check of their own that harms nobody; and nothing is sent."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.providers.telnyx.client import TelnyxProvider
from service.providers.verify.decoy import DecoyProvider
from service.providers.verify.decoy_calls import AT_ONCE, Allowance, choose
from service.providers.verify.protocol import CheckAnswer, CodeCompared, InDoubt, NotCompared, Order, Sent, State
from service.providers.verify.timings import ENOUGH, KEPT, KINDS, REMEMBERED, CallKind, Timed, TimedCall, Timings
from service.sandbox.faults import Fault
from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.app import create_telnyx
from service.sandbox.telnyx.service import PROFILE_ID
from tests.support.clock import Clock
from tests.support.serving import serve_app

ORDER = Order("+13035551234", "sms", PROFILE_ID, 305)
ID = "12ade33a-21c0-473b-b055-b3c836e1c292"
FAILED = NotCompared("http_500")
COMPARED = CodeCompared(accepted=False)


class DecoyHarness:
    """A timed provider in front of a stand-in, and the silent one beside it. `ended`: whom that may ask about."""

    def __init__(self, telnyx: TelnyxProvider, stage: SandboxStage) -> None:
        self.stage = stage
        self.ended: str | None = None
        self.timings = Timings()
        self.real = Timed(telnyx, self.timings)
        self.decoy = DecoyProvider(self.timings, telnyx, lambda: self.ended)

    async def begin(self) -> str:
        """Send, and return Telnyx's id."""
        sent = await self.real.send(ORDER)
        assert isinstance(sent, Sent)
        return sent.provider_id

    async def check_many(self, many: int) -> list[CheckAnswer]:
        return await asyncio.gather(*(self.decoy.check("", "000000") for _ in range(many)))


@pytest.fixture
async def decoys() -> AsyncIterator[DecoyHarness]:
    app = create_telnyx()
    async with serve_app(app) as url:
        telnyx = TelnyxProvider("KEY_SANDBOX", f"{url}/v2")
        yield DecoyHarness(telnyx, app.state.stage)
        await telnyx.aclose()


async def test_a_decoys_send_is_taken_and_reaches_nobody(decoys: DecoyHarness) -> None:
    sent = [await decoys.decoy.send(ORDER) for _ in range(3)]
    assert all(isinstance(one, Sent) and uuid.UUID(one.provider_id) for one in sent)
    assert len({repr(one) for one in sent}) == 3
    assert decoys.stage.journal.count() == {}


async def test_a_decoys_call_takes_as_long_as_a_real_one_did(decoys: DecoyHarness) -> None:
    decoys.stage.latency = {"send": 0.12, "check": 0.08}
    held = await decoys.begin()
    await asyncio.gather(*(decoys.real.check(held, "000000") for _ in range(ENOUGH)))
    for call, seconds in ((decoys.decoy.send(ORDER), 0.12), (decoys.decoy.check(ID, "000000"), 0.08)):
        started = time.monotonic()
        await call
        assert time.monotonic() - started >= seconds
    assert decoys.stage.journal.count() == {"send": 1, "check": ENOUGH}


async def test_it_ends_as_real_calls_end_that_are_still_out(decoys: DecoyHarness) -> None:
    """Those that have ended alone would be the quick ones."""
    held = await decoys.begin()
    decoys.stage.faults.add(Fault(kind="slow", operations=("check",)))
    real = [asyncio.create_task(decoys.real.check(held, "000000")) for _ in range(ENOUGH)]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    assert await decoys.decoy.check(ID, "000000") == COMPARED
    assert time.monotonic() - started >= 0.9
    await asyncio.gather(*real)
    assert decoys.stage.journal.count()["check"] == ENOUGH


async def test_with_too_few_calls_to_imitate_each_asks_for_itself_about_a_verification_that_is_over(
    decoys: DecoyHarness,
) -> None:
    decoys.ended = await decoys.begin()
    decoys.stage.faults.add(Fault(kind="error500", operations=("check",), ids="known", share=0.5))
    answers = await decoys.check_many(AT_ONCE)
    assert set(answers) == {COMPARED, FAILED}
    assert {call.verification_id for call in decoys.stage.journal.list_calls("check")} == {decoys.ended}
    assert decoys.stage.journal.count()["check"] == AT_ONCE


async def test_a_flood_of_decoys_is_no_flood_of_calls_and_its_answers_still_differ(decoys: DecoyHarness) -> None:
    decoys.ended = await decoys.begin()
    decoys.stage.faults.add(Fault(kind="error500", operations=("check",), share=0.5))
    answers = await decoys.check_many(300)
    assert decoys.stage.journal.count()["check"] < 100
    assert 60 < answers.count(FAILED) < 240


async def test_what_is_accepted_of_a_verification_that_is_over_is_wrong(decoys: DecoyHarness) -> None:
    decoys.timings.record("check", 0.0, CodeCompared(accepted=True))
    answers = {call.outcome for call in decoys.timings._real["check"]}
    assert answers == {COMPARED}


async def test_when_telnyx_is_down_a_decoys_code_is_not_compared_either(decoys: DecoyHarness) -> None:
    decoys.stage.faults.add(Fault(kind="error500"))
    assert await decoys.decoy.check(ID, "000000") == FAILED
    assert isinstance(await decoys.decoy.send(ORDER), Sent)


async def test_the_end_of_a_real_check_is_the_end_of_a_decoys_one(decoys: DecoyHarness) -> None:
    held = await decoys.begin()
    decoys.stage.faults.add(Fault(kind="throttle", operations=("check",), seconds=9, times=ENOUGH))
    for _ in range(ENOUGH):
        assert await decoys.real.check(held, "000000") == NotCompared("10011", 9.0)
    drawn = await decoys.decoy.check(ID, "000000")
    assert isinstance(drawn, NotCompared)
    assert drawn.after is not None
    assert 0 < drawn.after < 9.0


async def test_a_real_call_that_was_broken_off_teaches_nothing(decoys: DecoyHarness) -> None:
    held = await decoys.begin()
    decoys.stage.latency = {"check": 5.0}
    calls = [asyncio.create_task(decoys.real.check(held, "000000")) for _ in range(ENOUGH)]
    await asyncio.sleep(0.05)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert decoys.timings.draw_present("check") is None
    assert decoys.timings.draw_newest("check") is None


async def test_without_a_real_provider_it_waits_a_little_and_says_wrong() -> None:
    decoy = DecoyProvider(Timings())
    assert await decoy.check(ID, "000000") == COMPARED
    assert await decoy.state(ID) == State(accepted=False)
    assert await decoy.look_up("+13035551234") == []


async def test_what_is_left_in_doubt_is_settled_as_a_real_one_would_be() -> None:
    timings = Timings()
    for _ in range(ENOUGH):
        timings.record("check", 0.0, InDoubt("time_limit"))
        timings.record("state", 0.0, NotCompared("no_connection"))
    decoy = DecoyProvider(timings)
    assert await decoy.check(ID, "000000") == InDoubt("time_limit")
    assert await decoy.state(ID) == NotCompared("no_connection")


def test_what_begins_and_ends_like_an_outage_is_drawn_from_what_began_in_the_last_two_seconds_alone() -> None:
    clock = Clock()
    timings = Timings(clock)
    for _ in range(ENOUGH):
        timings.record("check", 0.1)
    clock.pass_by(1.8)
    assert timings.draw_present("check")
    for _ in range(ENOUGH - 1):
        timings.record("check", 0.1, FAILED)
    clock.pass_by(0.2)
    assert timings.draw_present("check") is None
    timings.record("check", 0.1, FAILED)
    assert {call.outcome for call in (timings.draw_present("check") for _ in range(50)) if call} == {FAILED}


def test_a_quiet_process_remembers_for_hours_how_its_calls_went() -> None:
    clock = Clock()
    timings = Timings(clock)
    timings.record("send", 1.0)
    clock.pass_by(REMEMBERED - 2)
    timings.record("send", 2.0, asked=True)
    assert {call.seconds for call in (timings.draw_newest("send") for _ in range(100)) if call} == {1.0, 2.0}
    clock.pass_by(3)
    assert {call.seconds for call in (timings.draw_newest("send") for _ in range(50)) if call} == {2.0}
    assert timings.draw_newest("check") is None


def call_of(seconds: float, outcome: CheckAnswer = COMPARED, started: float = 0.0) -> TimedCall:
    return TimedCall(started, seconds, outcome)


QUICK, SLOW, FAILING = call_of(0.1), call_of(0.6), call_of(0.1, FAILED)


@pytest.mark.parametrize(
    ("real", "asks", "known", "copied"),
    [
        ([], [QUICK], False, [QUICK]),
        ([FAILING], [QUICK], False, [QUICK]),
        ([FAILING] * 2, [QUICK], False, [FAILING]),
        ([SLOW] * 2, [QUICK], False, [SLOW]),
        ([FAILING] * 2, [FAILING, QUICK], False, [QUICK]),
        ([QUICK] * 2, [SLOW], False, [SLOW]),
        ([FAILING, QUICK], [QUICK], False, [FAILING, QUICK]),
        ([FAILING] * 8, [QUICK], True, [QUICK]),
        ([FAILING] * 8, [QUICK] * 8, True, [FAILING]),
        ([FAILING] + [QUICK] * 7, [QUICK] * 8, True, [QUICK]),
    ],
    ids=[
        "no real one", "one real one", "known ids fail", "known ids are slow", "all fail at times", "it is slow now",
        "half of the known ids fail", "too few asks", "only pending ones fail", "one failed by chance",
    ],
)  # fmt: skip
def test_what_was_asked_is_copied_unless_real_ones_tell_that_it_was_treated_differently(
    real: list[TimedCall], asks: list[TimedCall], *, known: bool, copied: list[TimedCall]
) -> None:
    found = [choose(asks[-1], real, asks, known=known) for _ in range(60)]
    assert all(call in copied for call in found)
    assert all(call in found for call in copied)


def test_asks_that_all_fail_while_real_checks_are_compared_are_not_copied() -> None:
    asks = [call_of(0.1, FAILED, started=at) for at in (0.0, 2.0, 4.0)]
    real = [call_of(0.1, started=at) for at in (1.0, 3.0, 5.0)]
    assert choose(asks[-1], real, asks, known=True) in real
    before = [call_of(0.1, started=at) for at in (-3.0, -2.0, -1.0)]
    assert choose(asks[-1], before, asks, known=True) is asks[-1]


def test_what_may_be_asked_comes_back_with_time_and_with_answers() -> None:
    clock = Clock()
    allowance = Allowance(clock)
    assert sum(allowance.take() for _ in range(100)) == AT_ONCE
    clock.pass_by(1)
    assert sum(allowance.take() for _ in range(100)) == 10
    clock.pass_by(3_600)
    assert sum(allowance.take() for _ in range(100)) == 2
    for _ in range(10):
        allowance.give_back()
    assert sum(allowance.take() for _ in range(100)) == 10


outcomes = st.one_of(
    st.builds(CodeCompared, st.booleans()),
    st.builds(NotCompared, st.just("10011"), st.none() | st.floats(0, 60)),
    st.builds(InDoubt, st.just("time_limit")),
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 9), outcomes, st.floats(0, 40)), max_size=60))
def test_nothing_drawn_is_old_accepted_or_other_than_what_was_recorded(
    calls: list[tuple[CallKind, float, CheckAnswer, float]],
) -> None:
    clock = Clock()
    timings = Timings(clock)
    for kind, seconds, outcome, pause in calls:
        timings.record(kind, seconds, outcome)
        clock.pass_by(pause)
        drawn = timings.draw_newest(kind)
        assert drawn
        assert drawn.outcome != CodeCompared(accepted=True)
        assert drawn.seconds == pytest.approx(seconds) or any(drawn.seconds == pytest.approx(one[1]) for one in calls)


def test_what_is_kept_is_bounded() -> None:
    timings = Timings()
    for _ in range(10_000):
        timings.record("send", 0.1)
    assert len(timings._real["send"]) == KEPT
