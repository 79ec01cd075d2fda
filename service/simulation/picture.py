"""The report as text for a terminal: a chart over time and figures for each label.

Called by cli. Prints nothing itself, and contains no number or address: a report may be passed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.simulation.report import LabelReport, Report

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"
HOUR = 3600
# A share from here on has one decimal; a span up to here (minutes) is not given in hours.
COARSE, MOST_MINUTES = 0.1, 120


def draw(report: Report, *, ascii_only: bool = False) -> str:
    """Return the report as text. `ascii_only`: for terminals that have no block characters."""
    levels = ASCII if ascii_only else BLOCKS
    blocks = ["\n".join(_draw_label(one, report, levels)) for one in report.labels]
    return "\n\n".join([*blocks, *_conclude(report)])


def _draw_label(one: LabelReport, report: Report, levels: str) -> Iterator[str]:
    yield f"{one.label}: {one.requests} requests, at most {max(one.requests_over_time)} in {_span(report.column)}"
    top = max(one.requests_over_time)
    yield f"  requests |{_bars(one.requests_over_time, top, levels)}|"
    yield f"  sent     |{_bars(one.sent_over_time, top, levels)}|"
    yield f"           0{_span(report.ends):>{len(one.sent_over_time) + 1}}"
    yield f"  sent {one.sent}, refused by a limit {one.refused}, suppressed by rules {one.suppressed}{_errors(one)}"
    yield from (f"    {rule} {count}" for rule, count in one.by_rule.items())
    yield from _describe_attack(one) if one.hostile else _describe_people(one)


def _describe_attack(one: LabelReport) -> Iterator[str]:
    by_rules = _percent(one.suppressed_by_rules)
    yield f"  refused or suppressed {_percent(one.stopped)} of what would have gone out ({by_rules} by rules)"
    block = one.first_block
    when = "and no rule suppressed any" if block is None else f"before the first block, at {_span(block)}"
    yield f"  {one.sent_before_block} sends {when}; at most {one.longest_leak} in a row"
    yield f"  cost {one.spent:.2f}, saved {one.saved:.2f}"


def _describe_people(one: LabelReport) -> Iterator[str]:
    let_through = one.sent + one.suppressed
    share = _percent(one.suppressed_by_rules)
    yield f"  wrongly suppressed by rules {share}: {one.suppressed} of {let_through} requests"
    yield f"  numbers that this befell: {one.numbers_suppressed} of {one.numbers}"
    yield f"  cost {one.spent:.2f}, not sent {one.saved:.2f}"


def _conclude(report: Report) -> Iterator[str]:
    if report.attacks is not None and sum(one.hostile for one in report.labels) > 1:
        yield "\n".join([f"all attacks: {report.attacks.requests} requests", *_describe_attack(report.attacks)])


def _errors(one: LabelReport) -> str:
    repeated = f", second taps {one.repeated}" if one.repeated else ""
    return f"{repeated}, errors {one.errors}" if one.errors else repeated


def _bars(counts: Sequence[int], top: int, levels: str) -> str:
    """Draw one character for each count; every count above zero is visible."""
    most = len(levels) - 1
    return "".join(levels[-(-count * most // top)] if count else levels[0] for count in counts)


def _percent(share: float | None) -> str:
    return "nothing" if share is None else f"{share:.1%}" if share >= COARSE or not share else f"{share:.2%}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < MOST_MINUTES else f"{seconds / HOUR:.1f} h"
