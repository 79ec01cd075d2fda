"""What a history says: pure, and each promise with its counterexample."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.fraud.histories.evidence import Measure, threshold, unconverted_evidence, usual_conversion
from service.fraud.histories.history import History, countries_of, is_known, numbers_of, pause
from service.fraud.histories.sequences import aligned, stride

ABOVE = 6.0
MEASURE = Measure(above=ABOVE, usual=0.65)


def history(
    ages: list[int], marks: list[int] | None = None, converted: list[bool] | None = None, **more: Any
) -> History:
    """Make a history of sends, newest first."""
    told = {"day_sends": 1.0, "day_converted": 0.0, "long_sends": 1.0, "long_converted": 0.0, "peak": 0.0}
    counts: dict[str, Any] = told | {"block": None} | more
    return History(ages=ages, marks=marks or [0] * len(ages), converted=converted or [False] * len(ages), **counts)


def test_an_unconverted_run_is_evidence_after_a_dozen_or_two() -> None:
    for seconds, most in ((5, 18), (1, 36)):
        needed = next(
            n for n in range(1, 49) if unconverted_evidence(history([i * seconds for i in range(n)]), MEASURE) > ABOVE
        )
        assert needed <= most


def test_sends_that_convert_at_the_usual_rate_are_no_evidence() -> None:
    dice = random.Random(1)
    for _ in range(200):
        given = [dice.random() < MEASURE.usual for _ in range(48)]
        assert unconverted_evidence(history([600 + 60 * i for i in range(48)], converted=given), MEASURE) < ABOVE + 4


@given(st.lists(st.booleans(), min_size=1, max_size=48), st.integers(0, 47))
def test_a_converted_send_never_adds_evidence(given: list[bool], place: int) -> None:
    ages = [60 * i for i in range(len(given))]
    more = [done or i == place % len(given) for i, done in enumerate(given)]
    assert (
        unconverted_evidence(history(ages, converted=more), MEASURE)
        <= unconverted_evidence(history(ages, converted=given), MEASURE) + 1e-9
    )


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=48), st.floats(0.35, 0.85))
def test_evidence_is_never_negative_and_never_fails(ages: list[int], usual: float) -> None:
    one = history(sorted(ages), marks=[age % 10_000 for age in ages])
    assert unconverted_evidence(one, Measure(ABOVE, usual)) >= 0
    assert aligned(one, 10_000) >= 0
    assert stride(one, 10_000) >= 0


def test_neighbours_are_unlikely_and_strangers_are_not() -> None:
    assert aligned(history([0, 9, 18, 27], [1000, 1001, 1002, 1003]), 10_000) > ABOVE
    assert aligned(history([0, 9, 18, 27], [1003, 1000, 1002, 1001]), 10_000) > ABOVE
    dice = random.Random(2)
    strangers = [
        aligned(history([60 * i for i in range(8)], dice.sample(range(10_000), 8)), 10_000) for _ in range(500)
    ]
    assert max(strangers) < ABOVE


def test_a_family_and_an_office_that_enters_its_codes_are_no_run() -> None:
    assert aligned(history([0, 60, 120], [4001, 4002, 4003]), 10_000) == 0
    marks = list(range(5000, 5020))
    given = [i % 3 != 0 for i in range(20)]
    assert aligned(history([300 * i for i in range(20)], marks, given), 10_000) < ABOVE


def test_a_stride_is_counted_from_the_newest_back() -> None:
    assert stride(history([0, 1, 2, 3], [700, 600, 500, 400]), 10_000) == 4
    assert stride(history([0, 1, 2, 3], [700, 600, 500, 123]), 10_000) == 3
    assert stride(history([0], [7]), 10_000) == 1


def test_an_address_is_judged_by_the_countries_of_its_unconverted_sends() -> None:
    marks = [(1 << 21) | 5, (44 << 21) | 6, (44 << 21) | 7, (49 << 21) | 8]
    assert countries_of(history([1, 2, 3, 4], marks)) == 3
    assert countries_of(history([1, 2, 3, 4], marks, [True, False, False, False])) == 2


def test_a_country_of_which_nothing_is_known_is_taken_for_usual() -> None:
    assert usual_conversion(None) == 0.6
    assert abs(usual_conversion(history([0], long_sends=1000.0, long_converted=700.0)) - 0.7) < 0.01
    assert usual_conversion(history([0], long_sends=1000.0, long_converted=0.0)) == 0.5


def test_what_an_attack_does_today_does_not_change_what_is_usual() -> None:
    calm = history([0], long_sends=1000.0, long_converted=700.0)
    pumped = history([0], long_sends=2000.0, long_converted=700.0, day_sends=1000.0, day_converted=0.0)
    assert abs(usual_conversion(pumped) - usual_conversion(calm)) < 0.01


def test_after_a_block_one_unconverted_send_is_enough_and_a_converted_one_is_not() -> None:
    pumped = [3600] * 20
    for later, blocked in (([], False), ([False], True), ([True], False)):
        one = history([0] + [30] * len(later) + pumped, converted=[False, *later, *[False] * 20], lifted=600.0)
        assert (unconverted_evidence(one, MEASURE) > ABOVE) is blocked, later


def test_one_part_of_a_subject_does_not_condemn_the_rest() -> None:
    one_block = history([600] * 30, [10_000 + i for i in range(30)])
    all_over = history([600] * 30, [10_000 * (i % 10) for i in range(30)])
    measure = Measure(ABOVE, 0.65, part=10_000, most=3.0)
    assert unconverted_evidence(one_block, measure) <= 3.0
    assert unconverted_evidence(all_over, measure) > ABOVE


def test_a_subject_that_converts_well_needs_more_evidence() -> None:
    assert threshold(history([0]), ABOVE) == ABOVE
    assert threshold(history([0], day_converted=1000.0), ABOVE) > ABOVE + 4


def test_a_number_is_known_by_its_own_codes_alone() -> None:
    assert is_known(history([0, 60], [7, 7], [False, True]))
    assert not is_known(history([0, 60], [7, 8], [False, True]))


def test_numbers_are_counted_once_however_often_they_ask() -> None:
    assert numbers_of(history([1, 2, 3], [7, 7, 8], [False, True, False])) == (2, 2)
    assert numbers_of(history([1, 2, 90_000], [7, 8, 9], [True, False, False])) == (2, 1)


def test_a_pause_is_how_long_nobody_came_after_a_block_if_who_came_did_not_convert() -> None:
    assert pause(history([0, 40, 5000], lifted=1800.0)) == 1800.0
    assert pause(history([0, 40, 5000], converted=[False, True, False], lifted=1800.0)) == 0
    assert pause(history([0, 40, 50, 5000], lifted=1800.0)) == 0
    assert pause(history([0, 40])) == 0


def test_nobody_types_a_code_within_seconds() -> None:
    assert unconverted_evidence(history([0, 2, 4, 7]), MEASURE) == 0
    assert unconverted_evidence(history([0, 20, 40, 60]), MEASURE) > 0
