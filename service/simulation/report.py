"""The report on a played trace: requests, sends, who was suppressed and by what, and the money.

Called by cli with what the player saw. Counts and divides; knows neither the gateway nor how a trace was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from service.simulation.trace import PERSON, TraceLine

COLUMNS = 60


LineResult = Literal["refused", "suppressed", "sent", "repeated", "error"]


class LineOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line. `cost`: of its send, or of the one suppressed, in the price list's currency.

    `repeated`: a second tap, answered as the first: nothing more was sent, and nobody was stopped.
    `refused`: by a plain limit or a budget, with a 429 or in silence; `suppressed`: by a rule, always in silence;
    `error`: anything else, which is not counted. `rules`: enforced rules that objected, and limits that refused in
    silence.
    """

    result: LineResult
    rules: tuple[str, ...] = ()
    cost: float = 0.0


class CountryAlarm(msgspec.Struct, frozen=True):
    """A country's incident. `t`: seconds from the start until it rang."""

    kind: str
    t: float
    text: str


Played = tuple[TraceLine, LineOutcome]


class LabelReport(msgspec.Struct, frozen=True, kw_only=True):
    """All requests of one label. Shares are 0 to 1, and None if there is nothing to divide by.

    `stopped`: refused or suppressed, of all that would have gone out without a gateway; `suppressed_by_rules`: of
    those that the limits let through. `numbers`: different ones; `numbers_suppressed`: those that a rule suppressed.
    `by_rule`: requests to which a rule, or a limit in silence, objected; a request can count for several.
    `first_block`: seconds from the start until a rule first suppressed one; `sent_before_block`: sends until then, all
    of them if there was none. `longest_leak`: most sends in a row with none suppressed between them.
    """

    label: str
    requests: int
    sent: int
    refused: int
    suppressed: int
    repeated: int
    errors: int
    by_rule: dict[str, int]
    stopped: float | None
    suppressed_by_rules: float | None = msgspec.field(name="stopped_by_rules")
    numbers: int
    numbers_suppressed: int = msgspec.field(name="numbers_stopped")
    first_block: float | None
    sent_before_block: int
    longest_leak: int
    spent: float
    saved: float
    requests_over_time: list[int]
    sent_over_time: list[int]

    @property
    def hostile(self) -> bool:
        """Whether it is right to stop them."""
        return not self.label.startswith(PERSON)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole trace. Times are seconds from its start; `column`: seconds that one count of the chart covers.

    `people`, `attacks`: the sums over labels, None if the trace has no such line; `labels`: each of them. `alarms`: of
    countries.
    """

    ends: float
    column: float
    people: LabelReport | None
    attacks: LabelReport | None
    labels: list[LabelReport] = msgspec.field(name="parts")
    alarms: list[CountryAlarm] = []


def summarise(played: Iterable[Played], columns: int = COLUMNS, alarms: Sequence[CountryAlarm] = ()) -> Report:
    """Make the report. `played`: every line with its outcome, in any order."""
    plays = sorted(played, key=lambda play: play[0].t)
    ends = plays[-1][0].t if plays else 0.0
    column = ends / columns or 1.0
    labels = sorted({line.label for line, _ in plays}, key=lambda label: (not label.startswith(PERSON), label))
    people = [play for play in plays if not play[0].hostile]
    attacks = [play for play in plays if play[0].hostile]
    return Report(
        ends=ends,
        alarms=list(alarms),
        column=column,
        people=_report_label(PERSON, people, column, columns) if people else None,
        attacks=_report_label("attacks", attacks, column, columns) if attacks else None,
        labels=[
            _report_label(label, [play for play in plays if play[0].label == label], column, columns)
            for label in labels
        ],
    )


def _report_label(label: str, plays: Sequence[Played], column: float, columns: int) -> LabelReport:
    results = Counter(outcome.result for _, outcome in plays)
    sent, refused, suppressed = results["sent"], results["refused"], results["suppressed"]
    first_block = next((line.t for line, outcome in plays if outcome.result == "suppressed"), None)
    leaks = _leaks(plays)
    return LabelReport(
        label=label,
        requests=len(plays),
        sent=sent,
        refused=refused,
        suppressed=suppressed,
        repeated=results["repeated"],
        errors=results["error"],
        by_rule=_count_rules(plays),
        stopped=_divide(refused + suppressed, sent + refused + suppressed),
        suppressed_by_rules=_divide(suppressed, sent + suppressed),
        numbers=len({line.phone_number for line, _ in plays}),
        numbers_suppressed=len({line.phone_number for line, outcome in plays if outcome.result == "suppressed"}),
        first_block=first_block,
        sent_before_block=leaks[0],
        longest_leak=max(leaks),
        spent=_add_cost(plays, {"sent"}),
        saved=_add_cost(plays, {"refused", "suppressed"}),
        requests_over_time=_spread((line.t for line, _ in plays), column, columns),
        sent_over_time=_spread((line.t for line, outcome in plays if outcome.result == "sent"), column, columns),
    )


def _count_rules(plays: Sequence[Played]) -> dict[str, int]:
    rules = Counter(rule for _, outcome in plays for rule in set(outcome.rules))
    return dict(sorted(rules.items(), key=lambda item: (-item[1], item[0])))


def _leaks(plays: Sequence[Played]) -> list[int]:
    """Return how many sends there were until the first block, and between blocks."""
    leaks = [0]
    for result in (outcome.result for _, outcome in plays):
        if result == "suppressed":
            leaks.append(0)
        leaks[-1] += result == "sent"
    return leaks


def _add_cost(plays: Sequence[Played], results: set[str]) -> float:
    return round(sum(outcome.cost for _, outcome in plays if outcome.result in results), 6)


def _spread(times: Iterable[float], column: float, columns: int) -> list[int]:
    counts = Counter(min(int(t / column), columns - 1) for t in times)
    return [counts[place] for place in range(columns)]


def _divide(part: int, whole: int) -> float | None:
    return part / whole if whole else None
