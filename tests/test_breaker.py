"""The breaker under a clock that the test drives: when it opens, for how long, and what closes it."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.providers.base import (
    CheckAnswer,
    InDoubt,
    Judged,
    NotJudged,
    Ours,
    Refused,
    SendAnswer,
    Sent,
    State,
    TryAgain,
)
from service.providers.breaker import LONGEST_COOL_DOWN, LONGEST_PAUSE, Breaker
from service.providers.silent import Silent
from service.providers.timings import Timings

SENT = Sent("12ade33a-21c0-473b-b055-b3c836e1c292")
DOWN = TryAgain("http_500")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Scripted(Silent):
    """A provider whose states are given beforehand."""

    def __init__(self, *answers: State | NotJudged) -> None:
        super().__init__(Timings())
        self.answers = deque(answers)
        self.asked = 0

    async def state(self, provider_id: str) -> State | NotJudged:  # noqa: ARG002
        self.asked += 1
        return self.answers.popleft()


ALIVE = State(accepted=False)
DEAD = NotJudged("no_connection")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail_for(breaker: Breaker, clock: Clock, seconds: float, answer: SendAnswer = DOWN) -> None:
    """Three failures over so many seconds."""
    for pause in (seconds / 2, seconds / 2, 0):
        breaker.note(answer)
        clock.pass_by(pause)


def test_our_own_fault_opens_it_at_once_for_five_seconds(breaker: Breaker, clock: Clock) -> None:
    breaker.note(Ours("20100"))
    assert (breaker.open, breaker.retry_after, breaker.reason) == (True, 5, "ours_20100")
    clock.pass_by(4.9)
    assert (breaker.open, breaker.retry_after) == (True, 1)
    clock.pass_by(0.1)
    assert (breaker.state, breaker.open) == ("half_open", False)


@pytest.mark.parametrize("answer", [DOWN, InDoubt("time_limit")])
def test_thirty_seconds_in_which_nothing_was_taken_open_it(breaker: Breaker, clock: Clock, answer: SendAnswer) -> None:
    fail_for(breaker, clock, 29.9, answer)
    assert breaker.state == "closed"
    clock.pass_by(0.1)
    breaker.note(answer)
    assert (breaker.state, breaker.reason) == ("open", "nothing_taken")


@pytest.mark.parametrize("answer", [SENT, Refused("40309")])
def test_one_send_that_telnyx_decided_upon_ends_the_silence(breaker: Breaker, clock: Clock, answer: SendAnswer) -> None:
    fail_for(breaker, clock, 20)
    breaker.note(answer)
    clock.pass_by(20)
    fail_for(breaker, clock, 20)
    assert breaker.state == "closed"


def test_two_failures_are_never_an_outage(breaker: Breaker, clock: Clock) -> None:
    breaker.note(DOWN)
    clock.pass_by(3_600)
    breaker.note(DOWN)
    assert breaker.state == "closed"


def test_checks_that_find_nobody_open_it_too_and_judged_codes_do_not_hide_failing_sends(
    breaker: Breaker, clock: Clock
) -> None:
    for pause in (10, 10, 10, 0):
        breaker.note(DOWN)
        breaker.note_check(Judged(accepted=False))
        clock.pass_by(pause)
    assert breaker.open
    other = Breaker(clock)
    for answer in (NotJudged("no_connection"), InDoubt("time_limit"), NotJudged("http_503")):
        other.note_check(answer)
        clock.pass_by(16)
    other.note_check(NotJudged("http_503"))
    assert other.open


def test_each_failure_after_a_cool_down_doubles_it_to_a_minute_and_a_success_forgets(
    breaker: Breaker, clock: Clock
) -> None:
    waits = []
    for _ in range(6):
        breaker.note(Ours("10009"))
        waits.append(breaker.retry_after)
        clock.pass_by(breaker.retry_after)
    assert waits == [5, 10, 20, 40, 60, 60]
    breaker.note(SENT)
    assert (breaker.state, breaker.reason) == ("closed", None)
    breaker.note(Ours("10009"))
    assert breaker.retry_after == 5


def test_calls_that_were_under_way_when_it_opened_change_nothing(breaker: Breaker, clock: Clock) -> None:
    for _ in range(50):
        breaker.note(Ours("20100"))
    breaker.note(SENT)
    assert (breaker.state, breaker.retry_after) == ("open", 5)


def test_a_judged_code_says_nothing_of_the_funds(breaker: Breaker, clock: Clock) -> None:
    breaker.note(Ours("20100"))
    clock.pass_by(5)
    breaker.note_check(Judged(accepted=True))
    assert breaker.reason == "ours_20100"
    breaker.note(SENT)
    assert breaker.state == "closed"


def test_a_429_pauses_sends_for_as_long_as_it_says_and_is_neither_failure_nor_success(
    breaker: Breaker, clock: Clock
) -> None:
    throttled = TryAgain("10011", 7.0, throttled=True)
    fail_for(breaker, clock, 40, throttled)
    assert breaker.state == "closed"
    assert breaker.paused_for() == 7.0
    breaker.note_check(NotJudged("10011", 3.0))
    assert breaker.paused_for() == 7.0
    clock.pass_by(8)
    assert breaker.paused_for() == 0
    breaker.note(TryAgain("10011", None, throttled=True))
    assert breaker.paused_for() == 1.0
    breaker.note(TryAgain("10011", 3_600.0, throttled=True))
    assert breaker.paused_for() == LONGEST_PAUSE


async def test_a_probe_ends_an_outage_without_a_request_and_prolongs_one_that_lasts(
    breaker: Breaker, clock: Clock
) -> None:
    provider = Scripted(DEAD, NotJudged("http_503"), ALIVE)
    fail_for(breaker, clock, 30)
    breaker.note(DOWN)
    for waits in (10, 20):
        await breaker.tick(provider)
        clock.pass_by(breaker.retry_after - 1)
        await breaker.tick(provider)
        assert (breaker.state, breaker.retry_after) == ("open", waits)
    clock.pass_by(19)
    await breaker.tick(provider)
    assert breaker.state == "half_open"
    await breaker.tick(provider)
    assert provider.asked == 3
    breaker.note(SENT)
    assert breaker.reason is None


async def test_a_throttled_probe_is_an_answer_of_somebody_alive(breaker: Breaker, clock: Clock) -> None:
    breaker.note(Ours("10009"))
    clock.pass_by(4)
    await breaker.tick(Scripted(NotJudged("10011", 3.0)))
    assert breaker.state == "half_open"


async def test_nothing_is_asked_while_it_is_closed_or_has_just_opened(breaker: Breaker, clock: Clock) -> None:
    provider = Scripted()
    await breaker.tick(provider)
    breaker.note(Ours("10009"))
    clock.pass_by(3.9)
    await breaker.tick(provider)
    assert provider.asked == 0


async def test_requests_wait_for_a_probe_that_is_out_beyond_the_cool_down(breaker: Breaker, clock: Clock) -> None:
    class Slow(Scripted):
        async def state(self, provider_id: str) -> State | NotJudged:
            clock.pass_by(5)
            states.append(breaker.state)
            return await super().state(provider_id)

    states: list[str] = []
    breaker.note(Ours("10009"))
    clock.pass_by(4)
    await breaker.tick(Slow(DEAD))
    assert states == ["open"]
    assert (breaker.state, breaker.retry_after) == ("open", 10)


sends = st.sampled_from(
    [SENT, Refused("40309"), Ours("10009"), DOWN, InDoubt("time_limit"), TryAgain("10011", 2.0, throttled=True)]
)
checks = st.sampled_from(
    [Judged(accepted=True), Judged(accepted=False), NotJudged("http_500"), NotJudged("10011", 9.0), InDoubt("reset")]
)


class Weather(RuleBasedStateMachine):
    """Any answers at any times."""

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule(answer=sends)
    def send(self, answer: SendAnswer) -> None:
        before = self.breaker.state
        self.breaker.note(answer)
        if before == "half_open" and isinstance(answer, Ours):
            assert self.breaker.state == "open"
        if before == "closed" and self.breaker.open:
            assert isinstance(answer, Ours | InDoubt) or answer == DOWN

    @rule(answer=checks)
    def check(self, answer: CheckAnswer) -> None:
        before = self.breaker.state
        self.breaker.note_check(answer)
        if isinstance(answer, Judged):
            assert self.breaker.state in {before, "closed"}

    @rule()
    def come_back(self) -> None:
        """However it was opened, a minute and one success of each kind later all is well."""
        self.clock.pass_by(LONGEST_COOL_DOWN)
        assert not self.breaker.open
        self.breaker.note(SENT)
        self.breaker.note_check(Judged(accepted=False))
        assert self.breaker.state == "closed"
        self.breaker.note(DOWN)
        assert self.breaker.state == "closed"

    @invariant()
    def says_when_to_come_back_and_why(self) -> None:
        assert 1 <= self.breaker.retry_after <= LONGEST_COOL_DOWN
        assert 0 <= self.breaker.paused_for() <= LONGEST_PAUSE
        assert (self.breaker.reason is None) == (self.breaker.state == "closed")


TestWeather = Weather.TestCase
TestWeather.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
