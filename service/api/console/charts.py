"""Draws the console's pictures as SVG: columns over time, and a bar in a table's row.

Used by pages. Colours come from the style, so that they follow light and dark; each picture stands beside its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup, escape

from service.operators.reports.activity import Step

WIDTH, HEIGHT = 720, 200
LEFT, TOP, BOTTOM = 48, 14, 30
# What is stacked in a column, from the ground up, by the names of Step.
STACKED = ("sends", "suppressed", "limited")
GAP = 0.25
TOPS = (2, 4, 6, 8, 10)
THOUSAND = 1000
BAR = 100


def draw_columns(steps: Sequence[Step], title: str, form: str, every: int) -> Markup:
    """Draw a column for each step, with what converted as a line. `form`: of the times; `every`: which are written."""
    top = _round_up(max((_height(step) for step in steps), default=0))
    wide = (WIDTH - LEFT) / max(1, len(steps))
    parts = [
        Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            WIDTH, HEIGHT, f"{title}: {_describe(steps)}"
        )
    ]
    parts += [_draw_line(top, share) for share in (0.0, 0.5, 1.0)]
    points = []
    for place, step in enumerate(steps):
        left = LEFT + place * wide
        parts += _draw_column(step, top, left + wide * GAP / 2, wide * (1 - GAP))
        points.append(f"{left + wide / 2:.1f},{_y(step.converted, top):.1f}")
        if (len(steps) - 1 - place) % every == 0:
            parts.append(_write_below(step.at, form, left + wide / 2))
    parts.append(Markup('<polyline class="converted" points="{}"/>').format(" ".join(points)))
    return Markup("").join([*parts, Markup("</svg>")])


def draw_bar(part: float, whole: float, kind: str) -> Markup:
    """Draw how much of a whole a part is; the figure stands beside it."""
    share = min(1.0, part / whole) if whole else 0.0
    return Markup(
        '<svg class="bar" viewBox="0 0 {} 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="ground" width="{}" height="8"/><rect class="{}" width="{:.1f}" height="8"/></svg>'
    ).format(BAR, BAR, kind, share * BAR)


def _draw_column(step: Step, top: int, left: float, wide: float) -> list[Markup]:
    parts, below = [], 0
    for name in STACKED:
        count = getattr(step, name)
        if count:
            high = _y(below, top) - _y(below + count, top)
            parts.append(
                Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    name, left, _y(below + count, top), wide, high
                )
            )
            below += count
    return parts


def _draw_line(top: int, share: float) -> Markup:
    y = _y(top * share, top)
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
    ).format(LEFT, WIDTH, y, y, LEFT - 6, y + 4, _shorten(top * share))


def _write_below(at: datetime, form: str, x: float) -> Markup:
    anchor = "end" if x > WIDTH - LEFT else "middle"
    return Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
        min(x, WIDTH), HEIGHT - 8, anchor, at.strftime(form)
    )


def _height(step: Step) -> int:
    return max(step.sends + step.suppressed + step.limited, step.converted)


def _y(count: float, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / top


def _round_up(count: int) -> int:
    """Return the next round number whose half is round as well."""
    step: int = 10 ** max(0, len(str(count)) - 1)
    return next(top * step for top in TOPS if top * step >= count)


def _shorten(count: float) -> str:
    """Write a figure at the side of a picture, for which there is room for four characters."""
    if count < THOUSAND:
        return f"{count:.0f}"
    return f"{count / THOUSAND:g}k" if count < THOUSAND**2 else f"{count / THOUSAND**2:g}M"


def _describe(steps: Sequence[Step]) -> str:
    told = [f"{escape(sum(getattr(step, name) for step in steps))} {name}" for name in (*STACKED, "converted")]
    return ", ".join(told)
