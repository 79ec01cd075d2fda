"""A decision: every rule's finding, and whether a code may go out. Stored in full, to be explained and made again.

Made by fraud.judge. Pure; only operators learn what it suppresses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from service import phone
from service.channels import Channel
from service.fraud.facts import Facts
from service.fraud.histories.history import without_marks
from service.fraud.rules.request import Rule, choose_channel
from service.policy.model import Policy
from service.policy.rules import Mode

# The stored word for a rule that an operator waived.
WAIVED: Final = "lifted"
# What operators waive of a number or a range that is safe: every rule.
ALL_RULES: Final = "rules"


class Finding(msgspec.Struct, frozen=True):
    """One rule's objection, and its mode. `detail` never contains a number. `reason`: the same as a sentence, if any.

    Mode `lifted`: an operator waived the rule for the number.
    """

    rule: str
    mode: Mode | Literal["lifted"]
    detail: str
    reason: str = ""


class Decision(msgspec.Struct, frozen=True):
    """Whether a code may go out, and why: enough to explain it, and to decide it again under another policy.

    `by`: the channel used instead of the one requested. `explain`: true for a test client that asked to be told.
    """

    allow: bool
    findings: list[Finding]
    facts: Facts
    policy_version: str
    by: Channel | None = None
    explain: bool | msgspec.UnsetType = msgspec.UNSET  # unset, it is not written


def writable(decision: Decision) -> Decision:
    """Return a decision as it is stored: what it says of the number fits at least 10,000 numbers."""
    facts = decision.facts
    country = facts.number.country
    number = msgspec.structs.replace(facts.number, kind=phone.tell_kind(country, facts.number.kind))
    facts = msgspec.structs.replace(
        facts,
        number=number,
        line=facts.line and phone.tell_kind(country, facts.line),
        histories={kind: without_marks(kind, history) for kind, history in facts.histories.items()},
    )
    return msgspec.structs.replace(decision, facts=facts)


def find(
    rules: Mapping[str, Rule], facts: Facts, policy: Policy, waived: Collection[str] = (), *, observed: bool = False
) -> Iterator[Finding]:
    """Ask every rule that is on; one that is waived, or only observes this client, suppresses nothing."""
    for name, rule in rules.items():
        mode: Mode = getattr(policy.rules, name).mode
        if mode != "off" and (detail := rule(facts, policy)) is not None:
            lifted = name in waived or ALL_RULES in waived
            yield Finding(name, WAIVED if lifted else "observe" if observed else mode, detail)


def suppresses(findings: Iterable[Finding]) -> bool:
    """Conclude from all findings: one that is enforced is enough to suppress."""
    return any(finding.mode == "enforce" for finding in findings)


def conclude(findings: list[Finding], facts: Facts, policy: Policy) -> Decision:
    """Decide by what was found."""
    allow = not suppresses(findings)
    by = choose_channel(facts, policy) if allow else None
    return Decision(allow=allow, findings=findings, facts=facts, policy_version=policy.version, by=by)
