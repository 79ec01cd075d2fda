"""What a rule did to a client's requests, and what became of those people: two sources put into one line.

Called by rules. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from service.operators.reports.outcomes import Outcome
from service.operators.reports.rule_shares import RuleShare


class RuleLine(msgspec.Struct, frozen=True):
    """One rule, mode and client. `numbers`, `verified`: what was measured, None where nothing was."""

    rule: str
    mode: str
    client: str
    requests: int
    of_decided: float
    of_suppressed: float | None
    numbers: int | None
    verified: int | None
    open: int | None

    @property
    def wrong(self) -> float | None:
        """The share of the numbers that were people's: verified within a day all the same."""
        return self.verified / self.numbers if self.numbers and self.verified is not None else None


def list_lines(shares: Iterable[RuleShare], outcomes: Iterable[Outcome], suppressed: int) -> list[RuleLine]:
    """List the lines, the most frequent first. `suppressed`: all sends that rules suppressed in the same window."""
    known: dict[tuple[str, str, str], Outcome] = {
        (one.client, one.rule, one.mode): one for one in outcomes if one.rule is not None
    }
    lines = [_line(one, known.pop((one.client, one.rule, one.mode), None), suppressed) for one in shares]
    lines += [
        RuleLine(one.rule or "", one.mode, one.client, 0, 0.0, None, one.numbers, one.verified, one.open)
        for one in known.values()
    ]
    return sorted(lines, key=lambda line: (-line.requests, line.rule, line.client))


def _line(share: RuleShare, outcome: Outcome | None, suppressed: int) -> RuleLine:
    enforced = share.mode == "enforce" and suppressed > 0
    return RuleLine(
        rule=share.rule,
        mode=share.mode,
        client=share.client,
        requests=share.count,
        of_decided=min(1.0, share.count / max(1, share.decided)),
        of_suppressed=min(1.0, share.count / suppressed) if enforced else None,
        numbers=outcome.numbers if outcome else None,
        verified=outcome.verified if outcome else None,
        open=outcome.open if outcome else None,
    )
