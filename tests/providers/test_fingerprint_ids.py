"""What an event id says by itself is judged without a call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.providers.fingerprint.event import FRESH_FOR, SKEW, EventMalformed, EventStale, check_id, read_time

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def make_id(age: float, letters: str = "NLOjmg") -> str:
    return f"{int((NOW.timestamp() - age) * 1000):013d}.{letters}"


@pytest.mark.parametrize("age", [0, 1, FRESH_FOR, -SKEW])
def test_a_fresh_id_is_worth_a_call(age: float) -> None:
    assert check_id(make_id(age), NOW) is None


def test_an_id_that_is_too_old_is_stale_and_the_caller_says_what_that_is() -> None:
    assert check_id(make_id(FRESH_FOR + 0.001), NOW) == EventStale()
    assert check_id(make_id(90), NOW, fresh_for=60) == EventStale()
    assert check_id(make_id(90), NOW, fresh_for=100) is None


def test_an_id_from_the_future_is_none() -> None:
    assert check_id(make_id(-SKEW - 0.001), NOW) == EventMalformed()
    assert check_id("9999999999999.NLOjmg", NOW) == EventMalformed()


@pytest.mark.parametrize(
    "event_id",
    [
        "",
        "forged",
        "1708102555327",
        "1708102555327.",
        "170810255532.NLOjmg",
        "17081025553271.NLOjmg",
        make_id(1) + "\n",
        " " + make_id(1),
        make_id(1) + "/../../visitors",
        make_id(1) + "?ii=1",
        make_id(1) + "#",
        make_id(1, "%2e%2e"),
        make_id(1, "NLO.jmg"),
        make_id(1, "a" * 33),
        "\uff11" * 13 + ".NLOjmg",
        "\u0660" * 13 + ".NLOjmg",
    ],
)
def test_what_is_not_an_id_is_malformed_and_nothing_that_could_leave_its_place_in_a_path_is_one(event_id: str) -> None:
    assert check_id(event_id, NOW) == EventMalformed()


@given(st.text())
def test_no_text_makes_the_judge_fail(event_id: str) -> None:
    assert check_id(event_id, NOW) in (None, EventMalformed(), EventStale())


@given(st.integers(0, 9_999_999_999_999))
def test_every_thirteen_digits_are_a_time(made_at: int) -> None:
    moment = read_time(f"{made_at:013d}.NLOjmg")
    assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=made_at)
