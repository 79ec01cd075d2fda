"""One line on each scenario: what a policy does to its people, to its group and to its attack.

Called by cli. Only counts and divides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from service.simulation.report import LabelReport, Report
from service.simulation.trace import PERSON

MOST_RULES = 4
HEAD = (
    f"{'':24}{'people stopped by':>20}{'group stopped by':>20}{'':4}attack\n"
    f"{'scenario':20}{'seed':>4}{'rules':>10}{'limits':>10}{'rules':>10}{'limits':>10}"
    f"{'stopped':>11}{'before':>8}{'cost':>8}  by"
)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy did to a scenario. Shares are of all requests, 0 to 1; None where there is no such label.

    `people`: everybody but the group; `before`: sends until a rule first stopped one.
    """

    scenario: str
    seed: int
    people_by_rules: float | None
    people_by_limits: float | None
    group_by_rules: float | None
    group_by_limits: float | None
    attack_stopped: float | None
    before: int | None
    cost: float | None
    by_rule: dict[str, int]


def measure(scenario: str, seed: int, report: Report) -> Measured:
    """Reduce a report to the figures that policies are compared by."""
    people = [part for part in report.labels if part.label == PERSON]
    group = [part for part in report.labels if not part.hostile and part.label != PERSON]
    attacks = report.attacks
    rules = Counter[str]()
    for part in report.labels:
        rules.update(part.by_rule)
    return Measured(
        scenario=scenario,
        seed=seed,
        people_by_rules=_share(people, "suppressed"),
        people_by_limits=_share(people, "refused"),
        group_by_rules=_share(group, "suppressed"),
        group_by_limits=_share(group, "refused"),
        attack_stopped=attacks.stopped if attacks else None,
        before=attacks.sent_before_block if attacks else None,
        cost=attacks.spent if attacks else None,
        by_rule=dict(rules.most_common(MOST_RULES)),
    )


def draw_line(one: Measured) -> str:
    """Return one line of the table under HEAD."""
    shares = (one.people_by_rules, one.people_by_limits, one.group_by_rules, one.group_by_limits)
    attack = (
        f"{'-':>11}{'-':>8}{'-':>8}"
        if one.attack_stopped is None
        else f"{one.attack_stopped:>11.1%}{one.before:>8}{one.cost:>8.2f}"
    )
    rules = ", ".join(f"{rule} {count}" for rule, count in one.by_rule.items())
    return f"{one.scenario:20}{one.seed:>4}{''.join(_percent(share) for share in shares)}{attack}  {rules}"


def _share(parts: Iterable[LabelReport], result: str) -> float | None:
    requests = sum(part.requests for part in parts)
    return sum(getattr(part, result) for part in parts) / requests if requests else None


def _percent(share: float | None) -> str:
    return f"{'-':>10}" if share is None else f"{share:>10.2%}"
