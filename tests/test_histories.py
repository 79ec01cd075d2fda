"""What a history says: pure, and each promise with its counterexample."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from service.fraud.histories import History, aligned, countries_of, crowded, stride, unread, usual_reads

USUAL = 0.65
ABOVE = 7.0


def history(ages: list[int], marks: list[int] | None = None, goods: list[bool] | None = None, **more: float) -> History:
    """Make a history of sends, newest first."""
    counts = {"day_sends": 1.0, "day_good": 0.0, "long_sends": 1.0, "long_good": 0.0, "peak": 0.0} | more
    return History(ages=ages, marks=marks or [0] * len(ages), goods=goods or [False] * len(ages), block=None, **counts)


def test_a_run_that_nobody_reads_is_evidence_after_a_dozen_or_two() -> None:
    for seconds, most in ((5, 12), (1, 24)):
        needed = next(
            n
            for n in range(1, 49)
            if unread(one := history([i * seconds for i in range(n)]), USUAL) + crowded(one, 0.5, 4) > ABOVE
        )
        assert needed <= most


def test_codes_that_are_read_at_the_usual_rate_are_none() -> None:
    dice = random.Random(1)
    for _ in range(200):
        goods = [dice.random() < USUAL for _ in range(48)]
        assert unread(history([600 + 60 * i for i in range(48)], goods=goods), USUAL) < ABOVE + 3


@given(st.lists(st.booleans(), min_size=1, max_size=48), st.integers(0, 47))
def test_a_code_that_is_read_never_adds_evidence(goods: list[bool], place: int) -> None:
    ages = [60 * i for i in range(len(goods))]
    read = [good or i == place % len(goods) for i, good in enumerate(goods)]
    assert unread(history(ages, goods=read), USUAL) <= unread(history(ages, goods=goods), USUAL) + 1e-9


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=48), st.floats(0.35, 0.85))
def test_evidence_is_never_negative_and_never_fails(ages: list[int], usual: float) -> None:
    one = history(sorted(ages), marks=[age % 10_000 for age in ages])
    assert unread(one, usual) >= 0
    assert 0 <= crowded(one, 0.5, 4) <= 4
    assert aligned(one, 10_000) >= 0
    assert stride(one) >= 0


def test_neighbours_are_unlikely_and_strangers_are_not() -> None:
    assert aligned(history([0, 9, 18, 27], [1000, 1001, 1002, 1003]), 10_000) > ABOVE
    assert aligned(history([0, 9, 18, 27], [1003, 1000, 1002, 1001]), 10_000) > ABOVE
    dice = random.Random(2)
    strangers = [
        aligned(history([60 * i for i in range(8)], dice.sample(range(10_000), 8)), 10_000) for _ in range(500)
    ]
    assert max(strangers) < ABOVE


def test_a_family_and_an_office_that_reads_its_codes_are_no_run() -> None:
    assert aligned(history([0, 60, 120], [4001, 4002, 4003]), 10_000) == 0
    marks = list(range(5000, 5020))
    goods = [i % 3 != 0 for i in range(20)]
    assert aligned(history([300 * i for i in range(20)], marks, goods), 10_000) < ABOVE


def test_a_stride_is_counted_from_the_newest_back() -> None:
    assert stride(history([0, 1, 2, 3], [700, 600, 500, 400])) == 4
    assert stride(history([0, 1, 2, 3], [700, 600, 500, 123])) == 3
    assert stride(history([0], [7])) == 1


def test_an_address_is_known_by_the_countries_it_asks_for_unread() -> None:
    marks = [(1 << 21) | 5, (44 << 21) | 6, (44 << 21) | 7, (49 << 21) | 8]
    assert countries_of(history([1, 2, 3, 4], marks)) == 3
    assert countries_of(history([1, 2, 3, 4], marks, [True, False, False, False])) == 2


def test_a_country_of_which_nothing_is_known_is_taken_for_usual() -> None:
    assert usual_reads(None) == 0.6
    assert abs(usual_reads(history([0], long_sends=1000.0, long_good=700.0)) - 0.7) < 0.01
    assert usual_reads(history([0], long_sends=1000.0, long_good=0.0)) == 0.35
