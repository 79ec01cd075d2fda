"""Two runs of the benchmarks: what moved by more than the noise, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.comparison import Change, compare, tabulate
from benchmarks.figures import Figure, Run, describe

NOISY = [2.0, 2.4, 1.9, 2.2, 2.1]


def only(before: Figure, now: Figure, *, drift: float = 1.0, in_turns: bool = False) -> Change:
    (change,) = compare({"a send": before}, {"a send": now}, drift=drift, in_turns=in_turns)
    return change


def ms(*windows: float) -> Figure:
    return Figure("ms", list(windows))


def test_what_differs_by_no_more_than_its_windows_do_has_not_moved() -> None:
    change = only(ms(*NOISY), ms(2.3, 1.95, 2.2, 2.0, 2.35))
    assert change.verdict == "no more than noise"
    assert change.low is not None
    assert change.high is not None
    assert change.low < 1 < change.high


def test_what_differs_by_more_than_its_windows_do_has_moved() -> None:
    half = ms(*(value / 2 for value in NOISY))
    change = only(ms(*NOISY), half)
    assert (change.verdict, change.ratio) == ("better", 0.5)
    assert only(half, ms(*NOISY)).verdict == "worse"


def test_more_a_second_is_better_and_more_time_is_worse() -> None:
    slow, fast = (
        Figure("a second", [100.0, 101.0, 99.0, 100.5], more=True),
        Figure("a second", [200.0, 202.0, 198.0, 201.0], more=True),
    )
    assert only(slow, fast).verdict == "better"
    assert only(fast, slow).verdict == "worse"
    assert (slow.best, ms(3, 1, 2).best) == (101.0, 1.0)


def test_what_slowed_both_sides_of_a_sitting_cancels_out() -> None:
    # The machine's speed changes threefold from turn to turn; one side always takes a tenth less.
    before = ms(1.0, 3.0, 2.0, 1.5, 2.5)
    now = ms(*(value * 0.9 for value in before.windows))
    assert only(before, now, in_turns=True).verdict == "better"
    assert only(before, now).verdict == "no more than noise"


@pytest.mark.parametrize("drift", [1.5, 1 / 1.5])
def test_a_machine_of_another_speed_explains_as_much(drift: float) -> None:
    third_more = ms(*(value * 1.3 for value in (2.0, 2.01, 1.99, 2.0)))
    assert only(ms(2.0, 2.01, 1.99, 2.0), third_more).verdict == "worse"
    assert only(ms(2.0, 2.01, 1.99, 2.0), third_more, drift=drift).verdict == "no more than noise"


@pytest.mark.parametrize("windows", [1, 3])
def test_a_figure_of_few_windows_has_no_noise_to_be_judged_by(windows: int) -> None:
    change = only(ms(*[1.0] * windows), ms(*[9.0] * windows))
    assert (change.verdict, change.ratio) == ("noise unknown", 9.0)


def test_a_figure_of_zero_has_no_ratio() -> None:
    assert only(ms(0.0, 0.0, 0.0), ms(1.0, 1.0, 1.0)).ratio is None


def test_a_figure_that_only_one_run_has_is_named() -> None:
    found = compare({"gone": ms(1.0)}, {"new": ms(2.0)})
    assert [(one.name, one.verdict, one.ratio) for one in found] == [
        ("gone", "only before", None),
        ("new", "only now", None),
    ]


def test_figures_of_different_units_are_not_compared() -> None:
    change = only(ms(*NOISY), Figure("us", NOISY))
    assert (change.verdict, change.ratio) == ("another unit", None)


def test_every_figure_of_both_runs_has_a_row() -> None:
    before = {"both": ms(*NOISY), "gone": ms(1.0), "unit": ms(1.0), "zero": ms(0.0)}
    now = {"both": ms(*NOISY), "new": ms(2.0), "unit": Figure("MB", [1.0]), "zero": ms(1.0)}
    written = tabulate("Against", compare(before, now)).write()
    for name in (*before, *now):
        assert f"| {name} |" in written
    assert "ms / MB" in written


def test_a_kept_run_reads_as_it_was(tmp_path: Path) -> None:
    run = Run(describe("abc", "18", "on"), {"a send": ms(*NOISY)})
    run.beside = Run(describe("def", "18", "on"), {"a send": Figure("a second", [1.0], more=True)})
    run.about.calibration = [1.0, 2.0]
    figures.write(run, tmp_path / "deeper/run.json")
    assert figures.read(tmp_path / "deeper/run.json") == run
