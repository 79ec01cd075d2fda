"""Sliding windows are exact: how many are let in, and the moment from which the next one is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.engine import Database
from tests.support.admission import NOON, WIDE, AdmissionHarness

Windows = Sequence[tuple[int, int]]
MICROSECOND = timedelta(microseconds=1)
FILL = """
insert into counters (subject, hits)
select $1, array(select $2::timestamptz - n * $3::interval from generate_series(1, $4) n)
"""
HITS = "select hits from counters where subject = $1"

numbers = count()
windows = st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1, 2, 3, 10])), min_size=1, max_size=3)
# Steps that often end exactly on an edge, or a microsecond beside it.
steps = st.builds(
    lambda whole, beside: timedelta(seconds=whole / 2, microseconds=beside),
    st.integers(0, 8),
    st.sampled_from([0, 0, 1, -1]),
)
leaps = st.builds(lambda halves: timedelta(seconds=halves / 2), st.integers(-12, 12))


def is_let_in(windows: Windows, hits: Sequence[datetime], now: datetime) -> bool:
    """Judge by counting, as the policy is worded: at most `most` in any `seconds`."""
    return all(sum(hit > now - timedelta(seconds=seconds) for hit in hits) < most for most, seconds in windows)


def opening(windows: Windows, hits: Sequence[datetime], now: datetime) -> datetime:
    """Find the first moment from which a request is let in, among all moments at which a hit leaves a window."""
    ends = sorted(hit + timedelta(seconds=seconds) for hit in hits for _, seconds in windows)
    return next(end for end in ends if end > now and is_let_in(windows, hits, end))


async def _desk(database: Database, windows: Windows) -> tuple[AdmissionHarness, str]:
    """Make a harness with these windows for a number, and a number nobody has asked for."""
    policy = WIDE.replace("1000/1d", '", "'.join(f"{most}/{seconds}s" for most, seconds in windows), 1)
    harness = AdmissionHarness(database, policy)
    await harness.join("shop")
    return harness, f"+1312{next(numbers):07}"


slow = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@slow
@given(windows=windows, steps=st.lists(steps, min_size=5, max_size=25))
async def test_each_request_is_decided_as_if_counted_by_hand_and_told_exactly_when_to_retry(
    database: Database, windows: Windows, steps: list[timedelta]
) -> None:
    harness, number = await _desk(database, windows)
    hits: list[datetime] = []
    for step in steps:
        assert harness.now
        harness.now = max(harness.now + step, hits[0] + MICROSECOND) if hits else harness.now + step
        answer = await harness.admit(number)
        if is_let_in(windows, hits, harness.now):
            assert answer.outcome == "admitted"
            hits.insert(0, harness.now)
        else:
            assert answer.outcome == "limited"
            assert answer.wait == pytest.approx(
                (opening(windows, hits, harness.now) - harness.now).total_seconds(), abs=5e-7
            )


@slow
@given(windows=windows, leaps=st.lists(leaps, min_size=5, max_size=25))
async def test_a_clock_that_goes_backwards_never_lets_more_in(
    database: Database, windows: Windows, leaps: list[timedelta]
) -> None:
    harness, number = await _desk(database, windows)
    item = harness.item(number)
    for leap in leaps:
        assert harness.now
        harness.now += leap
        await harness.admit(number)
    hits = await database.pool.fetchval(HITS, item.phone_limit)
    for most, seconds in windows:
        for newer, older in zip(hits, hits[most:], strict=False):
            assert newer - older >= timedelta(seconds=seconds)
    assert all(newer > older for newer, older in pairwise(hits))


@pytest.mark.parametrize("windows", [[(3, 600), (5, 3600), (10, 86400)], [(1, 1)], [(20, 60), (30, 2592000)]])
async def test_the_same_request_is_let_in_when_its_wait_is_over_and_not_a_moment_before(
    database: Database, windows: Windows
) -> None:
    harness, number = await _desk(database, windows)
    for _ in range(4):
        while (answer := await harness.admit(number)).outcome == "admitted":
            harness.wait(0.25)
        assert answer.wait
        harness.wait(answer.wait - 1e-6)
        assert (await harness.admit(number)).outcome == "limited"
        harness.wait(1e-6)
        assert (await harness.admit(number)).outcome == "admitted"


async def test_a_limit_of_a_thousand_is_as_exact_as_one_of_three(database: Database) -> None:
    harness, number = await _desk(database, [(1000, 3600)])
    subject = harness.item(number).phone_limit
    await database.pool.execute(FILL, subject, NOON, timedelta(seconds=3.6), 999)
    assert (await harness.admit(number)).outcome == "admitted"
    answer = await harness.admit(number)
    assert answer.wait == pytest.approx(3600 - 999 * 3.6, abs=1e-6)
    harness.wait(3600 - 999 * 3.6)
    assert (await harness.admit(number)).outcome == "admitted"
    assert len(await database.pool.fetchval(HITS, subject)) == 1000
    assert (await harness.admit(number)).wait == pytest.approx(3.6, abs=1e-6)
