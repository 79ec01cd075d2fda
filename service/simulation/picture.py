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
    blocks = ["\n".join(_draw_part(part, report, levels)) for part in report.parts]
    return "\n\n".join([*blocks, *_conclude(report)])


def _draw_part(part: LabelReport, report: Report, levels: str) -> Iterator[str]:
    yield f"{part.label}: {part.requests} requests, at most {max(part.requests_over_time)} in {_span(report.column)}"
    top = max(part.requests_over_time)
    yield f"  requests |{_bars(part.requests_over_time, top, levels)}|"
    yield f"  sent     |{_bars(part.sent_over_time, top, levels)}|"
    yield f"           0{_span(report.ends):>{len(part.sent_over_time) + 1}}"
    yield f"  sent {part.sent}, refused by a limit {part.refused}, suppressed by rules {part.suppressed}{_errors(part)}"
    yield from (f"    {rule} {count}" for rule, count in part.by_rule.items())
    yield from _describe_attack(part) if part.hostile else _describe_people(part)


def _describe_attack(part: LabelReport) -> Iterator[str]:
    yield f"  stopped {_percent(part.stopped)} of what would have gone out ({_percent(part.stopped_by_rules)} by rules)"
    block = part.first_block
    when = "and no rule stopped any" if block is None else f"before the first block, at {_span(block)}"
    yield f"  {part.sent_before_block} sends {when}; at most {part.longest_leak} in a row"
    yield f"  cost {part.spent:.2f}, saved {part.saved:.2f}"


def _describe_people(part: LabelReport) -> Iterator[str]:
    let_through = part.sent + part.suppressed
    yield f"  wrongly stopped by rules {_percent(part.stopped_by_rules)}: {part.suppressed} of {let_through} requests"
    yield f"  numbers that this befell: {part.numbers_stopped} of {part.numbers}"
    yield f"  cost {part.spent:.2f}, not sent {part.saved:.2f}"


def _conclude(report: Report) -> Iterator[str]:
    if report.attacks is not None and sum(part.hostile for part in report.parts) > 1:
        yield "\n".join([f"all attacks: {report.attacks.requests} requests", *_describe_attack(report.attacks)])


def _errors(part: LabelReport) -> str:
    return f", errors {part.errors}" if part.errors else ""


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
