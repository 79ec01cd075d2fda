"""The stages of a decision, in their order: which rules each holds, and what it needs to have gathered.

Walked by fraud.judge, which gathers, and by operators.backtesting.backtest, which decides again: a rule has its place
here alone. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import msgspec

from service.fraud.decision import Finding, find, suppresses
from service.fraud.facts import Facts
from service.fraud.rules import device as device_rules
from service.fraud.rules import history as history_rules
from service.fraud.rules import request as request_rules
from service.fraud.rules.request import Rule
from service.policy.model import Policy

Need = Literal["quota", "captcha", "line"]


class Stage(NamedTuple):
    """Rules that are asked together. `needs`: what the judge gathers for them, in this order.

    `early`: asked before the device event is read and the send is weighed. An objection ends the decision there: it
    spends nobody's quota, and leaves no trace in the histories.
    """

    name: str
    rules: dict[str, Rule]
    needs: tuple[Need, ...] = ()
    early: bool = False

    def ends(self, findings: Sequence[Finding]) -> bool:
        """Say whether no later stage is asked after these findings."""
        return self.early and suppresses(findings)


NUMBER = Stage(
    "number",
    {
        "number": request_rules.judge_number,
        "number_unknown": request_rules.judge_number_unknown_early,
        "country": request_rules.judge_country,
    },
    early=True,
)
# `quota` first, which the database is asked for: where it does not answer, no token is used up.
CAPTCHA = Stage("captcha", {"captcha": request_rules.judge_captcha}, needs=("quota", "captcha"), early=True)
DEVICE = Stage(
    "device",
    {
        "bot": device_rules.judge_bot,
        "suspect_score": device_rules.judge_suspect_score,
        "confidence": device_rules.judge_confidence,
        "event_replayed": device_rules.judge_replayed,
        "event_stale": device_rules.judge_stale,
        "event_forged": device_rules.judge_forged,
        "event_bound": device_rules.judge_bound,
        "event_ip": device_rules.judge_event_ip,
        "event_linked": device_rules.judge_linked,
        "event_incomplete": device_rules.judge_incomplete,
        "no_event": device_rules.judge_no_event,
        "device_unread": device_rules.judge_unavailable,
        "tampering": device_rules.judge_tampering,
        "tor": device_rules.judge_tor,
        "vpn": device_rules.judge_vpn,
        "proxy": device_rules.judge_proxy,
        "hosting": device_rules.judge_hosting,
        "virtual_machine": device_rules.judge_virtual_machine,
        "ip_country": device_rules.judge_ip_country,
    },
)
HISTORY = Stage(
    "history",
    {
        "block": history_rules.judge_block,
        "number_unconverted": history_rules.judge_number_unconverted,
        "sequential": history_rules.judge_sequential,
        "range": history_rules.judge_range,
        "country_spike": history_rules.judge_country_spike,
        "country_conversion": history_rules.judge_country_conversion,
        "ip_conversion": history_rules.judge_ip_conversion,
        "burst": history_rules.judge_burst,
        "unverified_share": history_rules.judge_unverified_share,
        "device_numbers": history_rules.judge_device_numbers,
        "many_countries": history_rules.judge_many_countries,
    },
)
# The first two once more, when all is known of the number: what they find now comes instead of what they found before.
LINE = Stage(
    "line",
    {
        "number": request_rules.judge_number,
        "number_unknown": request_rules.judge_number_unknown,
        "landline": request_rules.judge_landline,
    },
    needs=("line",),
)

STAGES = (NUMBER, CAPTCHA, DEVICE, HISTORY, LINE)
EARLY = tuple(stage for stage in STAGES if stage.early)
LATE = STAGES[len(EARLY) :]
RULES: dict[str, Rule] = {name: rule for stage in STAGES for name, rule in stage.rules.items()}


def ask(
    stage: Stage, facts: Facts, policy: Policy, waived: Collection[str], before: Sequence[Finding] = (), *,
    observed: bool = False,
) -> list[Finding]:  # fmt: skip
    """Ask a stage's rules; return what stands now, with what the stages before found."""
    # A recorded decision knows the line, and the stages before did not: `number` would be asked another question.
    shown = facts if "line" in stage.needs or facts.line is None else msgspec.structs.replace(facts, line=None)
    found = list(find(stage.rules, shown, policy, waived, observed=observed))
    return [finding for finding in before if finding.rule not in stage.rules] + found if before else found
