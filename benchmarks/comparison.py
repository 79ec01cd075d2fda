"""Two runs beside each other: what each figure was and is, and whether it moved by more than the noise. Pure.

Called by benchmarks.__main__. The ratio is that of the medians. Its interval (95 %) is found by drawing the windows
again and again with replacement (bootstrap); runs that took turns are drawn turn by turn, so that what slowed both
cancels out. A figure moved if its whole interval is on one side of 1.

Runs of different times also differ by the machine: their intervals are widened both ways by how much the loop of
benchmarks.cpu differed between them. A figure of fewer than four windows says nothing of its noise: it never moves.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

from benchmarks.figures import Figure, Figures
from benchmarks.report import Table

DRAWS = 2_000
TAIL = 0.025
LEAST_WINDOWS = 4

Verdict = Literal["better", "worse", "no more than noise", "noise unknown", "only before", "only now", "another unit"]


class Change(msgspec.Struct):
    """One figure of two runs. `ratio`: now to before; `low` and `high`: its interval."""

    name: str
    verdict: Verdict
    before: Figure | None
    now: Figure | None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


def compare(before: Figures, now: Figures, *, drift: float = 1.0, in_turns: bool = False) -> list[Change]:
    """Compare all figures of two runs. `drift`: the machine's speed then to that now; `in_turns`: in one sitting."""
    return [
        _compare(name, before.get(name), now.get(name), max(drift, 1 / drift), in_turns=in_turns)
        for name in {**before, **now}
    ]


def _compare(name: str, before: Figure | None, now: Figure | None, drift: float, *, in_turns: bool) -> Change:
    if before is None or now is None:
        return Change(name, "only now" if before is None else "only before", before, now)
    if before.unit != now.unit:
        return Change(name, "another unit", before, now)
    if not before.median or not now.median:
        return Change(name, "noise unknown", before, now)
    paired = in_turns and len(before.windows) == len(now.windows)
    if paired and all(before.windows):
        ratios = [new / old for old, new in zip(before.windows, now.windows, strict=True)]
        ratio, drawn = median(ratios), _draw_pairs(ratios)
    else:
        ratio, drawn = now.median / before.median, _draw_apart(before.windows, now.windows)
    low, high = drawn[int(DRAWS * TAIL)] / drift, drawn[-1 - int(DRAWS * TAIL)] * drift
    known = min(len(before.windows), len(now.windows)) >= LEAST_WINDOWS
    return Change(name, _judge(low, high, more=now.more) if known else "noise unknown", before, now, ratio, low, high)


def _judge(low: float, high: float, *, more: bool) -> Verdict:
    if low <= 1 <= high:
        return "no more than noise"
    return "better" if (low > 1) == more else "worse"


def _draw_pairs(ratios: Sequence[float]) -> list[float]:
    dice = random.Random(0)
    return sorted(median(dice.choices(ratios, k=len(ratios))) for _ in range(DRAWS))


def _draw_apart(before: Sequence[float], now: Sequence[float]) -> list[float]:
    dice = random.Random(0)
    drawn = ((median(dice.choices(now, k=len(now))), median(dice.choices(before, k=len(before)))) for _ in range(DRAWS))
    return sorted(new / old if old else float("inf") for new, old in drawn)


def tabulate(title: str, changes: Sequence[Change]) -> Table:
    """Write the changes as a table."""
    table = Table(title, ["", "unit", "before", "now", "ratio", "95 %", "best : best", ""])
    for one in changes:
        figures = [figure for figure in (one.before, one.now) if figure]
        cells = [f"{figure.median:.3g}" if figure else "-" for figure in (one.before, one.now)]
        ratio = f"{one.ratio:.2f}" if one.ratio is not None else "-"
        interval = f"{one.low:.2f} to {one.high:.2f}" if one.low is not None and one.high is not None else "-"
        best = (
            f"{one.now.best / one.before.best:.2f}" if one.ratio and one.before and one.now and one.before.best else "-"
        )
        units = " / ".join(dict.fromkeys(figure.unit for figure in figures))
        table.add(one.name, units, *cells, ratio, interval, best, one.verdict)
    return table
