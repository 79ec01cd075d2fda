"""Decide one send: gather, weigh, ask every rule, resolve. Two statements at most, none held across a call.

Called by verification.dispatch. Sends nothing. What it finds goes into the decision, the histories and the
blocks; a caller learns nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from uuid import UUID

import msgspec

from service import phone
from service.channels import Channel
from service.fraud.decision import Decision, Finding, conclude, find
from service.fraud.facts import Device, Facts
from service.fraud.gathering.captchas import Captchas
from service.fraud.gathering.device_events import Asked, DeviceEvents, Read
from service.fraud.gathering.forged_events import ForgedEventTracker
from service.fraud.gathering.line_types import LineTypes
from service.fraud.histories.history import PAUSES, pause
from service.fraud.histories.subjects import subjects_of
from service.fraud.money import Booking, book
from service.fraud.rules.catalogue import CAPTCHA, DEVICE, FIRST, HISTORY, LINE
from service.fraud.rules.history import guilty_ranges
from service.fraud.store import Block, FraudStore, Limit, Resolution, Weighed, Weighing
from service.policy.model import Policy
from service.providers.health_notes import HealthNotes
from service.providers.telnyx.number_lookup import LookUp
from service.vault import Vault

OVER_BUDGET = {"budget": "The day's budget", "budget_country": "A country's budget of the day"}


class Question(msgspec.Struct, frozen=True):
    """Whether a code may go to this number, by this channel, for this request.

    `counts`: whether it may become a send at all; a decoy is weighed, and leaves no trace. `lifts`: the rules (and
    "limits", for all of them) that an operator lifted for this number.
    """

    id: UUID
    ordinal: int
    client_id: int
    phone_hash: UUID
    phone_number: str
    network: str | None
    channel: Channel
    asked: Asked
    counts: bool
    lifts: Collection[str] = ()


class Gathered(msgspec.Struct, frozen=True):
    """What the outside told of a send. `read`: the device event; None where it is decided without.

    `strike`: whom an invented event counts against.
    """

    facts: Facts
    findings: list[Finding]
    read: Read | None = None
    strike: UUID | None = None


class Judge:
    """The one who decides."""

    def __init__(
        self, vault: Vault, scales: FraudStore, events: DeviceEvents, captchas: Captchas, look_up: LookUp | None = None,
        troubles: HealthNotes | None = None,
    ) -> None:  # fmt: skip
        """Wire the parts. `look_up`: who knows what kind of line a number is; `troubles`: told of spent budgets."""
        self._troubles = troubles or HealthNotes()
        self._vault = vault
        self._scales = scales
        self._events = events
        self._captchas = captchas
        self._forgers = ForgedEventTracker(vault, scales)
        self._lines = LineTypes(look_up, scales)

    async def decide(self, question: Question, policy: Policy) -> Decision:
        """Decide one send. Raises Unavailable."""
        return await self.settle(question, policy, await self.gather(question, policy))

    async def gather(self, question: Question, policy: Policy) -> Gathered:
        """Ask the outside, as far as the answers are needed: once a send, for tokens and look-ups are used up by it.

        So the database is asked first: when it raises Unavailable, nothing is used up.
        """
        facts = Facts(phone.describe(question.phone_number), question.channel, Device("none"), {})
        findings = list(find(FIRST, facts, policy, question.lifts))
        if not conclude(findings, facts, policy).allow:
            return Gathered(facts, findings)
        barred = await self._is_barred(question, policy)
        if policy.rules.captcha.mode != "off":
            facts = msgspec.structs.replace(facts, captcha=await self._captchas.read(question.asked))
            findings += find(CAPTCHA, facts, policy, question.lifts)
            if not conclude(findings, facts, policy).allow:
                return Gathered(facts, findings)
        if barred:
            return Gathered(facts, findings, Read(Device("unasked")))
        read = await self._events.read(question.asked, policy.rules.event_stale.after)
        invented = question.network if read.device.state == "unknown" and self._spends(question) else None
        return Gathered(facts, findings, read, self._forgers.note(invented) if invented else None)

    async def settle(self, question: Question, policy: Policy, gathered: Gathered) -> Decision:
        """Decide by what was gathered and what the database holds. Raises Unavailable, and may be tried again then."""
        facts, read, findings = gathered.facts, gathered.read, gathered.findings
        if read is None:
            return await self._resolve(question, policy, conclude(findings, facts, policy))
        weighed = await self._weigh(question, facts.number, read)
        if isinstance(weighed, Decision):
            return weighed
        device = msgspec.structs.replace(read.device, bound=weighed.bound)
        facts = msgspec.structs.replace(facts, device=device, histories=weighed.histories, line=weighed.line)
        findings = [*findings, *find(DEVICE | HISTORY, facts, policy, question.lifts)]
        if question.counts and policy.lookup.mode == "on" and conclude(findings, facts, policy).allow:
            line = facts.line or await self._lines.read(question.phone_number, question.phone_hash, policy.lookup.keep)
            facts = msgspec.structs.replace(facts, line=line)
        findings = [one for one in findings if one.rule not in LINE]
        findings += find(LINE, facts, policy, question.lifts)
        return await self._resolve(question, policy, conclude(findings, facts, policy), gathered, weighed)

    def rehearse(self, question: Question, policy: Policy) -> Decision:
        """Decide a test client's send: by its number alone, without a trace."""
        facts = Facts(phone.describe(question.phone_number), question.channel, Device("none"), {})
        return conclude(list(find(FIRST, facts, policy)), facts, policy)

    async def credit(self, row: UUID) -> None:
        """Tell the histories that a verification's code was read."""
        await self._scales.credit(row)

    def _spends(self, question: Question) -> bool:
        return question.network is not None and self._events.needs_call(question.asked)

    async def _is_barred(self, question: Question, policy: Policy) -> bool:
        """Say whether the request's address has brought so many invented events that none is looked up for it."""
        rule = policy.rules.event_forged
        if question.network is None or rule.mode != "enforce" or not self._spends(question):
            return False
        return await self._forgers.are_spent(question.network, rule.ip)

    async def _weigh(self, question: Question, plan: phone.Plan, read: Read) -> Weighed | Decision:
        event = self._vault.hash(b"event", read.event_id) if read.event_id else None
        subjects = subjects_of(self._vault, question.phone_number, plan, question.network, read.visitor_id)
        return await self._scales.weigh(
            Weighing(question.id, question.ordinal, question.client_id, question.phone_hash, event, subjects)
        )

    async def _resolve(
        self, question: Question, policy: Policy, so_far: Decision,
        gathered: Gathered | None = None, weighed: Weighed | None = None,
    ) -> Decision:  # fmt: skip
        """Have the database decide: a limit or a budget may refuse, and what was decided before stands."""
        read = gathered.read if gathered else None
        limits = self._limits(question, policy, read) if read else ()
        decision = await self._scales.resolve(
            Resolution(
                id=question.id,
                ordinal=question.ordinal,
                goes=so_far.allow and question.counts,
                decision=so_far,
                limits=[limit for limit in limits if not _lifted(question, limit)],
                blocks=list(_blocks(so_far, policy, weighed)) if question.counts and weighed else [],
                booking=_booking(question, policy, so_far),
                strike=gathered.strike if gathered else None,
            )
        )
        for over in (OVER_BUDGET[one.rule] for one in decision.findings if one.rule in OVER_BUDGET):
            self._troubles.note("budget", f"{over} is spent. More is sent tomorrow (UTC).")
        return decision

    def _limits(self, question: Question, policy: Policy, read: Read) -> Iterator[Limit]:
        if policy.rules.phone_everywhere.mode == "enforce":
            subject = self._vault.hash(b"limit.every", phone.subscriber_of(question.phone_number))
            yield Limit("phone_everywhere", subject, policy.limits.phone_everywhere)
        if read.visitor_id is not None and policy.rules.device.mode == "enforce":
            subject = self._vault.hash(b"limit.device", str(question.client_id), read.visitor_id)
            yield Limit("device", subject, policy.limits.device)
        unread = policy.rules.device_unread
        if read.device.state == "unread" and question.network is not None and unread.mode == "enforce":
            subject = self._vault.hash(b"limit.unread", question.network)
            yield Limit("device_unread", subject, unread.ip)


def _booking(question: Question, policy: Policy, decision: Decision) -> Booking | None:
    channel = decision.by or question.channel
    return book(policy, question.client_id, decision.facts, channel) if question.counts else None


def _lifted(question: Question, limit: Limit) -> bool:
    return "limits" in question.lifts or limit.name in question.lifts


def _blocks(decision: Decision, policy: Policy, weighed: Weighed) -> Iterator[Block]:
    enforced = {finding.rule: finding.detail for finding in decision.findings if finding.mode == "enforce"}
    by_kind: dict[str, UUID] = {subject.kind: subject.hash for subject in weighed.subjects}
    country = decision.facts.number.country or "?"
    ranges = dict.fromkeys(guilty_ranges(decision.facts, policy), "range") if "range" in enforced else {}
    if "sequential" in enforced:
        ranges["block_10k"] = "sequential"
    for kind, rule in ranges.items():
        least = PAUSES * pause(decision.facts.histories[kind])
        yield Block(by_kind[kind], "range", f"{country} {kind}", enforced[rule], least)
    if "country_conversion" in enforced:
        yield Block(by_kind["country"], "country", country, enforced["country_conversion"])
    if "ip_conversion" in enforced:
        yield Block(by_kind["ip"], "ip", "address", enforced["ip_conversion"])
    if "burst" in enforced:
        yield Block(by_kind["network"], "ip", "network", enforced["burst"])
