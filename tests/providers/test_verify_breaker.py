"""The breaker under a clock that the test drives: nothing but a probe closes it, and one that was wrong is doubted."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.providers.verify.breaker import FIRST_PROBE, LONGEST_DOUBT, LONGEST_WAIT, ProbedBreaker
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> ProbedBreaker:
    return ProbedBreaker(clock)


def test_it_stays_open_however_long_until_a_probe_finds_all_well(breaker: ProbedBreaker, clock: Clock) -> None:
    assert breaker.trip("ours_20100")
    clock.pass_by(86_400)
    breaker.succeed()
    assert breaker.due
    assert breaker.reason == "ours_20100"
    breaker.settle(well=True)
    assert not breaker.open


def test_it_is_probed_soon_then_more_seldom_and_at_least_every_fifteen_seconds(
    breaker: ProbedBreaker, clock: Clock
) -> None:
    breaker.trip("nothing_taken")
    waits = []
    for _ in range(5):
        waits.append(breaker.retry_after)
        due = [breaker.due]
        clock.pass_by(breaker.retry_after)
        assert [*due, breaker.due] == [False, True]
        breaker.settle(well=False)
    assert waits == [2, 4, 8, 15, 15]


def test_what_was_under_way_when_it_opened_changes_nothing(breaker: ProbedBreaker, clock: Clock) -> None:
    assert breaker.trip("ours_20100")
    clock.pass_by(1)
    assert not breaker.trip("ours_10009")
    breaker.succeed()
    assert (breaker.reason, breaker.retry_after) == ("ours_20100", 1)


def test_a_probe_that_was_wrong_is_believed_more_seldom_until_something_goes_through(
    breaker: ProbedBreaker, clock: Clock
) -> None:
    waits = []
    for _ in range(9):
        breaker.trip("ours_40333")
        waits.append(breaker.retry_after)
        clock.pass_by(breaker.retry_after)
        breaker.settle(well=True)
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300]
    breaker.succeed()
    breaker.trip("ours_40333")
    assert breaker.retry_after == 2


class Weather(RuleBasedStateMachine):
    """Any events at any times."""

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.breaker = ProbedBreaker(self.clock)

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule()
    def trip(self) -> None:
        self.breaker.trip("nothing_taken")
        assert self.breaker.open

    @rule()
    def succeed(self) -> None:
        before = self.breaker.open
        self.breaker.succeed()
        assert self.breaker.open == before

    @rule(well=st.booleans())
    def probe(self, *, well: bool) -> None:
        if self.breaker.due:
            self.breaker.settle(well=well)
            assert self.breaker.open != well

    @rule()
    def come_back(self) -> None:
        """However often it was wrong, a well provider is found within the longest wait."""
        self.clock.pass_by(LONGEST_DOUBT)
        if self.breaker.open:
            assert self.breaker.due
            self.breaker.settle(well=True)
        assert not self.breaker.open

    @invariant()
    def says_when_to_come_back(self) -> None:
        assert 1 <= self.breaker.retry_after <= LONGEST_DOUBT
        assert FIRST_PROBE < LONGEST_WAIT < LONGEST_DOUBT


TestWeather = Weather.TestCase
TestWeather.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
