"""Decides recorded sends again under another policy, and counts what would have been different.

Called by `verify-gateway policy backtest`. Pure. Facts stay as recorded: sends that the other policy would have
suppressed are still in the histories of later ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

import msgspec

from service.fraud.decision import WAIVED, Decision, Finding, conclude
from service.fraud.money import add, price_of
from service.fraud.stages import STAGES, ask
from service.fraud.storage.resolving import SPENT
from service.policy.model import Policies, Policy

DECISION = msgspec.json.Decoder(Decision)
NOT_DECIDED_AGAIN = (
    "Limits and budgets: what device, phone_everywhere, device_unread or a budget refused stays refused, and no more.",
    "Blocks: those in force then are in force again; the policy's changes neither raise nor prevent any.",
    "Histories: sends that the policy would have suppressed stay in the histories of later ones.",
    "Limits answered 429 (phone, ip, account) and wrong-code budgets: no decision was recorded.",
)


class RecordedSend(msgspec.Struct, frozen=True):
    """One send as it was decided. `sent`: it went out; `verified`: its verification was verified."""

    client: str
    decision: str
    sent: bool
    verified: bool


class RuleChange(msgspec.Struct):
    """The sends that a rule suppresses, then and now. `gained_sent`, `gained_verified`: of those gained."""

    before: int = 0
    after: int = 0
    gained: int = 0
    gained_sent: int = 0
    gained_verified: int = 0
    lost: int = 0
    lost_released: int = 0


class Changes(msgspec.Struct):
    """What would have been different.

    `undecodable`: decisions of other versions, not counted. `unasked`: newly released sends for which some rules were
    not asked then, because another had objected first; they might object. Money by the policy's price list: `saved` on
    sends that went out then, `saved_verified` on those that were verified, `added` by newly released sends. Names given
    to fields are those of the command's JSON.
    """

    policy: str
    currency: str
    priced: str
    decided: int = 0
    undecodable: int = msgspec.field(default=0, name="unread")
    suppressed_before: int = msgspec.field(default=0, name="stopped_before")
    suppressed_after: int = msgspec.field(default=0, name="stopped_after")
    newly_suppressed: int = msgspec.field(default=0, name="newly_stopped")
    newly_suppressed_sent: int = msgspec.field(default=0, name="newly_stopped_sent")
    newly_suppressed_verified: int = msgspec.field(default=0, name="newly_stopped_verified")
    newly_released: int = 0
    unasked: int = 0
    saved: float = 0.0
    saved_verified: float = 0.0
    added: float = 0.0
    rules: dict[str, RuleChange] = {}


class Backtest:
    """Counts the changes of one policy file, send by send."""

    def __init__(self, policies: Policies) -> None:
        """Decide by these policies, each client by its own."""
        self._of = cache(policies.of)
        prices = policies.default.prices
        self.changes = Changes(policies.default.version, prices.currency, f"{prices.dated}, {prices.source}")

    def add(self, recorded: Iterable[RecordedSend]) -> None:
        """Count some sends. Decisions that can no longer be read are counted as undecodable."""
        for one in recorded:
            policy = self._of(one.client)
            try:
                old = DECISION.decode(one.decision)
                new = decide_again(old, policy)
            except (msgspec.DecodeError, ValueError, ArithmeticError, LookupError):
                self.changes.undecodable += 1
                continue
            self._count(one, old, new)
            self._price(one, old, new, policy)

    def _price(self, one: RecordedSend, old: Decision, new: Decision, policy: Policy) -> None:
        decided = new if new.allow else old
        price = price_of(policy, decided.facts.number.country, decided.by or decided.facts.channel)
        if one.sent and not new.allow:
            self.changes.saved = add(self.changes.saved, price)
            self.changes.saved_verified = add(self.changes.saved_verified, price * one.verified)
        if new.allow and not old.allow:
            self.changes.added = add(self.changes.added, price)

    def _count(self, one: RecordedSend, old: Decision, new: Decision) -> None:
        changes = self.changes
        changes.decided += 1
        changes.suppressed_before += not old.allow
        changes.suppressed_after += not new.allow
        if old.allow and not new.allow:
            changes.newly_suppressed += 1
            changes.newly_suppressed_sent += one.sent
            changes.newly_suppressed_verified += one.sent and one.verified
        if new.allow and not old.allow:
            changes.newly_released += 1
            changes.unasked += not _is_gathered(old)
        before, after = _suppressed_by(old), _suppressed_by(new)
        for rule in before | after:
            change = changes.rules.setdefault(rule, RuleChange())
            change.before += rule in before
            change.after += rule in after
            if rule not in before:
                change.gained += 1
                change.gained_sent += one.sent
                change.gained_verified += one.sent and one.verified
            if rule not in after:
                change.lost += 1
                change.lost_released += new.allow


def decide_again(old: Decision, policy: Policy) -> Decision:
    """Decide a send from its recorded facts, stage by stage as the judge does."""
    waived = {finding.rule for finding in old.findings if finding.mode == WAIVED}
    findings: list[Finding] = []
    for stage in STAGES:
        if not stage.early and not _is_gathered(old):
            break
        findings = ask(stage, old.facts, policy, waived, findings)
        if stage.ends(findings):
            break
    else:
        findings += _limited(old, policy, waived)
    return conclude(findings, old.facts, policy)


def _limited(old: Decision, policy: Policy, waived: Collection[str]) -> list[Finding]:
    """Return what counters refused then; they are not asked again: a refusal stands while its rule or budget does."""
    return [
        finding
        for finding in old.findings
        if finding.detail == SPENT and finding.rule not in waived and _holds(finding.rule, old, policy)
    ]


def _holds(limit: str, old: Decision, policy: Policy) -> bool:
    budgets = policy.budgets
    match limit:
        case "budget":
            return budgets.everything > 0
        case "budget_country":
            return budgets.countries.get(old.facts.number.country or "", budgets.each_country) > 0
        case "number_unknown":  # its limits hold where it does not suppress by itself
            return policy.rules.number_unknown.mode == "observe"
        case _:
            return getattr(getattr(policy.rules, limit, None), "mode", "off") == "enforce"


def _is_gathered(decision: Decision) -> bool:
    """Return whether the histories were weighed; else a rule had objected before that."""
    return bool(decision.facts.histories)


def _suppressed_by(decision: Decision) -> set[str]:
    return {finding.rule for finding in decision.findings if finding.mode == "enforce"}
