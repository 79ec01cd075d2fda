"""Decide one send: facts in, every rule's finding, and a Decision that is stored whole.

Called by verification.dispatch. Sends nothing; what it suppresses is known to operators alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from service.fraud.facts import Facts
from service.fraud.policy import Mode, Policy
from service.fraud.rules import RULES


class Finding(msgspec.Struct, frozen=True):
    """One rule that objected, and whether it was allowed to. `detail` holds nobody's number."""

    rule: str
    mode: Mode
    detail: str


class Decision(msgspec.Struct, frozen=True):
    """Whether a code may go out, and why: enough to explain it, and to decide it again under another policy."""

    allow: bool
    findings: list[Finding]
    facts: Facts
    policy_version: str


def decide(facts: Facts, policy: Policy) -> Decision:
    """Apply every rule that is on; one enforced finding is enough to suppress."""
    findings = list(_findings(facts, policy))
    allow = all(finding.mode != "enforce" for finding in findings)
    return Decision(allow=allow, findings=findings, facts=facts, policy_version=policy.version)


def _findings(facts: Facts, policy: Policy) -> Iterator[Finding]:
    for name, rule in RULES.items():
        mode: Mode = getattr(policy.rules, name).mode
        if mode != "off" and (detail := rule(facts, policy)) is not None:
            yield Finding(name, mode, detail)
