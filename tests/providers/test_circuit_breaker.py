"""The breaker of look-ups opens for outages in a row, lets one call try, and waits longer each time."""

from __future__ import annotations

import pytest

from service.providers.http.circuit_breaker import COOL_DOWN, FAILURES, LONGEST_COOL_DOWN, CircuitBreaker


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock)


def fail(breaker: CircuitBreaker, times: int = FAILURES) -> None:
    for _ in range(times):
        breaker.note(outage=True)


def test_it_opens_for_failures_in_a_row_alone(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURES - 1)
    assert breaker.admit()
    breaker.note(outage=False)
    fail(breaker, FAILURES - 1)
    assert breaker.admit()
    assert not breaker.open
    fail(breaker, 1)
    assert not breaker.admit()
    assert breaker.open


def test_one_call_at_a_time_tries_again_after_a_while(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += COOL_DOWN - 0.01
    assert not breaker.admit()
    clock.now += 0.02
    assert [breaker.admit() for _ in range(3)] == [True, False, False]
    breaker.note(outage=False)
    assert not breaker.open
    assert [breaker.admit() for _ in range(3)] == [True] * 3


def test_each_failed_try_waits_longer_up_to_a_bound(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    waits = []
    for _ in range(6):
        started = clock.now
        while not breaker.admit():
            clock.now += 0.5
        waits.append(clock.now - started)
        breaker.note(outage=True)
    assert waits == [COOL_DOWN, 4.0, 8.0, 16.0, LONGEST_COOL_DOWN, LONGEST_COOL_DOWN]


def test_calls_that_were_on_their_way_when_it_opened_do_not_prolong_it(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, FAILURES * 10)
    clock.now += COOL_DOWN
    assert breaker.admit()


def test_a_try_that_says_nothing_leaves_its_place_to_the_next(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += COOL_DOWN
    assert breaker.admit()
    breaker.release()
    assert breaker.open
    assert breaker.admit()
