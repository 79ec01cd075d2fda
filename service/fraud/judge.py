"""Decide one send: gather, weigh, ask every rule, resolve. Two statements as a rule, none held across a call.

Called by verification.sends.deciding. Sends nothing. Findings go into the decision, the histories and the blocks;
a caller learns nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from uuid import UUID

import msgspec

from service import phone
from service.fraud.countries import Countries
from service.fraud.decision import ALL_RULES, Decision, Finding, conclude, suppresses
from service.fraud.facts import UNAVAILABLE, CaptchaState, DeviceFacts, Facts
from service.fraud.gathering.captchas import Captchas
from service.fraud.gathering.device_events import DeviceEvents, ReadEvent
from service.fraud.gathering.forged_events import ForgedEventTracker
from service.fraud.gathering.line_types import LineTypes
from service.fraud.gathering.signals import SignalTracker
from service.fraud.histories.history import PAUSES, pause
from service.fraud.histories.subjects import subjects_of
from service.fraud.money import INSURANCE, Booking, book
from service.fraud.question import Question
from service.fraud.reasons import Occasion, explain
from service.fraud.rules.history import guilty_ranges, is_challenged, judge_network
from service.fraud.stages import EARLY, LATE, NUMBER, Need, Stage, ask
from service.fraud.storage.resolving import Resolution, RuleBlock, SendLimit
from service.fraud.storage.store import FraudStore
from service.fraud.storage.weighing import Weighed, Weighing
from service.policy.model import Policy
from service.providers.health_notes import HealthNotes
from service.providers.line_lookup import LineLookup
from service.vault import Vault

OVER_BUDGET = {"budget": "The day's budget", "budget_country": "A country's budget of the day"}


class Gathered(msgspec.Struct, frozen=True):
    """What was learnt from outside about a send. `event`: the device event; None if the decision needs none.

    `strike`: the subject that an invented event counts against.
    """

    facts: Facts
    findings: Sequence[Finding] = ()
    event: ReadEvent | None = None
    barred: bool = False
    strike: UUID | None = None
    weighed: Weighed | None = None


class Judge:
    """Decides sends."""

    def __init__(
        self, vault: Vault, store: FraudStore, events: DeviceEvents, captchas: Captchas,
        look_up: LineLookup | None = None, health_notes: HealthNotes | None = None,
        countries: Countries | None = None,
    ) -> None:  # fmt: skip
        """`look_up` finds a number's line type; `health_notes` is told of spent budgets; `countries` are kept up."""
        self._countries = countries or Countries(vault)
        self._health_notes = health_notes or HealthNotes()
        self._vault = vault
        self._store = store
        self._events = events
        self._captchas = captchas
        self._forged_events = ForgedEventTracker(vault, store)
        self._lines = LineTypes(look_up, store)
        self._signals = SignalTracker()

    def widen(self, question: Question) -> Question:
        """Add to what is waived for a send's number what is waived for its range or country."""
        number = question.phone_number
        more = self._countries.waived_for(number, phone.describe(number).country) if self._countries.waives else []
        return msgspec.structs.replace(question, waived=[*question.waived, *more]) if more else question

    async def decide(self, question: Question, policy: Policy) -> Decision:
        """Decide one send. Raises Unavailable."""
        return await self.settle(question, policy, await self.gather(question, policy))

    async def gather(self, question: Question, policy: Policy) -> Gathered:
        """Ask the outside, as far as needed, and once for each send: asking uses up tokens and look-ups.

        The database is asked first, so that nothing is used up when it raises Unavailable.
        """
        known = _begin(question)
        for stage in EARLY:
            known = await self._pass(stage, question, policy, known)
            if stage.ends(known.findings):
                return known
        return await self._read_event(question, policy, known)

    async def settle(self, question: Question, policy: Policy, gathered: Gathered) -> Decision:
        """Decide by what was gathered and what the database holds. May be repeated when it raises Unavailable."""
        if gathered.event is None:
            return await self._resolve(question, policy, gathered)
        weighed = await self._weigh(question, policy, gathered.facts.number, gathered.event)
        if isinstance(weighed, Decision):
            return weighed
        known = _add(gathered, weighed)
        for stage in LATE:
            known = await self._pass(stage, question, policy, known)
        return await self._resolve(question, policy, known)

    def decide_test(self, question: Question, policy: Policy) -> Decision:
        """Decide a test client's send: by its number only, without a trace."""
        facts = _begin(question).facts
        return conclude(ask(NUMBER, facts, policy, ()), facts, policy)

    def decide_review(self, question: Question, policy: Policy) -> Decision:
        """Let a review number's code count, whatever the rules say, without a trace: nothing is sent to it."""
        return Decision(allow=True, findings=[], facts=_begin(question).facts, policy_version=policy.version)

    async def _pass(self, stage: Stage, question: Question, policy: Policy, known: Gathered) -> Gathered:
        """Gather what a stage needs, and ask its rules."""
        for need in stage.needs:
            known = await self._learn(need, question, policy, known)
        found = ask(stage, known.facts, policy, question.waived, known.findings, observed=question.observed)
        return msgspec.structs.replace(known, findings=found) if found or known.findings else known

    async def _learn(self, need: Need, question: Question, policy: Policy, known: Gathered) -> Gathered:
        match need:
            case "quota":
                barred = await self._is_barred(question, policy)
                return msgspec.structs.replace(known, barred=True) if barred else known
            case "captcha":
                return await self._learn_captcha(question, policy, known)
            case "line":
                return await self._learn_line(question, policy, known)

    async def _learn_captcha(self, question: Question, policy: Policy, known: Gathered) -> Gathered:
        if policy.rules.captcha.mode == "off":
            return known
        result = await self._captchas.read(question, policy.rules.captcha)
        return _learnt(known, captcha=result.state, captcha_told=result.told)

    async def _learn_line(self, question: Question, policy: Policy, known: Gathered) -> Gathered:
        """Learn the kind of line: as it is held, else of Telnyx for a send that would go, where the policy says so."""
        line = known.weighed.line if known.weighed else None
        if line is None and question.counts and policy.lookup.mode == "on" and not suppresses(known.findings):
            line = await self._lines.read(question.phone_number, question.phone_hash, policy.lookup.keep)
        return _learnt(known, line=line) if line else known

    async def _read_event(self, question: Question, policy: Policy, known: Gathered) -> Gathered:
        if known.barred:
            return msgspec.structs.replace(known, event=ReadEvent(DeviceFacts("unasked")))
        read = await self._events.read(question, policy)
        invented = question.network if read.device.state == "unknown" and self._spends(question) else None
        return msgspec.structs.replace(
            known, event=read, strike=self._forged_events.note(invented) if invented else None
        )

    async def credit(self, row: UUID) -> None:
        """Tell the histories that a verification's code was entered."""
        await self._store.credit(row)

    def _spends(self, question: Question) -> bool:
        return question.network is not None and self._events.needs_call(question)

    async def _is_barred(self, question: Question, policy: Policy) -> bool:
        """Return whether the request's address has invented so many events that none is looked up for it."""
        rule = policy.rules.event_forged
        if question.network is None or rule.mode != "enforce" or not self._spends(question):
            return False
        return await self._forged_events.are_spent(question.network, rule.ip)

    async def _weigh(
        self, question: Question, policy: Policy, plan: phone.NumberPlan, read: ReadEvent
    ) -> Weighed | Decision:
        event = self._vault.hash(b"event", read.event_id) if read.event_id else None
        subjects = subjects_of(self._vault, question.phone_number, plan, question.network, read.visitor_id)
        signals = self._signals.list_new(question.client_id, read.device, policy)
        weighed = await self._store.weigh(
            Weighing(
                id=question.id,
                ordinal=question.ordinal,
                client_id=question.client_id,
                phone_hash=question.phone_hash,
                event=event,
                numbers=policy.rules.event_bound.numbers,
                subjects=subjects,
                signals=signals,
            )
        )
        self._signals.note(question.client_id, signals)
        return weighed

    async def _resolve(self, question: Question, policy: Policy, known: Gathered) -> Decision:
        """Store the decision: a limit or a budget may still refuse, and an earlier decision stands."""
        so_far = conclude(_explain(question, known), known.facts, policy)
        limits = self._limits(question, policy, known, known.event) if known.event else ()
        blocks = _blocks(so_far, policy, known.weighed) if question.counts and known.weighed else ()
        resolve = self._store.resolve if known.weighed else self._store.resolve_unweighed
        decision = await resolve(
            Resolution(
                id=question.id,
                ordinal=question.ordinal,
                goes=so_far.allow and question.counts,
                decision=so_far,
                limits=[limit for limit in limits if not _is_waived(question, limit)],
                blocks=list(blocks),
                booking=self._book(question, policy, so_far),
                strike=known.strike,
            )
        )
        for over in (OVER_BUDGET[one.rule] for one in decision.findings if one.rule in OVER_BUDGET):
            self._health_notes.note("budget", f"{over} is spent. More is sent tomorrow (UTC).")
        return decision

    def _book(self, question: Question, policy: Policy, decision: Decision) -> Booking | None:
        if not question.counts:
            return None
        waived = ALL_RULES in question.waived or INSURANCE in question.waived
        usual = self._countries.usual.get(decision.facts.number.country or "")
        insured = not waived and not is_challenged(decision.facts, policy)
        channel = decision.by or question.channel
        return book(policy, question.client_id, decision.facts, channel, usual, insured=insured)

    def _limits(self, question: Question, policy: Policy, known: Gathered, read: ReadEvent) -> Iterator[SendLimit]:
        if any(one.rule == "number_unknown" and one.mode == "observe" for one in known.findings):
            yield from self._limits_of_unknown(question, policy, known.facts.number.country or "")
        if policy.rules.phone_everywhere.mode == "enforce":
            subject = self._vault.hash(b"limit.every", phone.subscriber_of(question.phone_number))
            yield SendLimit("phone_everywhere", subject, policy.limits.phone_everywhere, apart=True)
        if read.visitor_id is not None and policy.rules.device.mode == "enforce":
            subject = self._vault.hash(b"limit.device", str(question.client_id), read.visitor_id)
            yield SendLimit("device", subject, policy.limits.device, total=policy.limits.device_total)
        unavailable = policy.rules.device_unread
        if read.device.state == UNAVAILABLE and question.network is not None and unavailable.mode == "enforce":
            subject = self._vault.hash(b"limit.unread", question.network)
            yield SendLimit("device_unread", subject, unavailable.ip)

    def _limits_of_unknown(self, question: Question, policy: Policy, country: str) -> Iterator[SendLimit]:
        rule = policy.rules.number_unknown
        if question.network is not None:
            yield SendLimit("number_unknown", self._vault.hash(b"limit.unknown", "ip", question.network), rule.ip)
        yield SendLimit("number_unknown", self._vault.hash(b"limit.unknown", "country", country), rule.country)


def _begin(question: Question) -> Gathered:
    return Gathered(Facts(phone.describe(question.phone_number), question.channel, DeviceFacts("none"), {}))


def _learnt(known: Gathered, **facts: CaptchaState | phone.NumberKind | str | None) -> Gathered:
    return msgspec.structs.replace(known, facts=msgspec.structs.replace(known.facts, **facts))


def _add(gathered: Gathered, weighed: Weighed) -> Gathered:
    device = gathered.event.device if gathered.event else DeviceFacts("none")
    device = msgspec.structs.replace(device, bound=weighed.bound, absent=tuple(weighed.absent))
    facts = msgspec.structs.replace(gathered.facts, device=device, histories=weighed.histories, codes=weighed.codes)
    return msgspec.structs.replace(gathered, facts=facts, weighed=weighed)


def _explain(question: Question, known: Gathered) -> list[Finding]:
    occasion = Occasion(question.phone_number, known.facts.number.country, question.asked_at)
    return [explain(one, known.facts.histories, occasion) for one in known.findings]


def _is_waived(question: Question, limit: SendLimit) -> bool:
    return "limits" in question.waived or limit.name in question.waived


def _blocks(decision: Decision, policy: Policy, weighed: Weighed) -> Iterator[RuleBlock]:
    # Whichever way round they are: a first block beyond the longest would have a level below 0, which nobody can read.
    first, longest = sorted((policy.blocks.first, policy.blocks.longest))
    raised = partial(RuleBlock, first=first, longest=longest)
    enforced = {
        finding.rule: finding.reason or finding.detail for finding in decision.findings if finding.mode == "enforce"
    }
    by_kind: dict[str, UUID] = {subject.kind: subject.hash for subject in weighed.subjects}
    country = decision.facts.number.country or "?"
    ranges = dict.fromkeys(guilty_ranges(decision.facts, policy), "range") if "range" in enforced else {}
    if "sequential" in enforced:
        ranges["block_10k"] = "sequential"
    for kind, rule in ranges.items():
        least = PAUSES * pause(decision.facts.histories[kind])
        yield raised(by_kind[kind], "range", f"{country} {kind}", enforced[rule], least=least)
    if "country_conversion" in enforced:
        yield raised(by_kind["country"], "country", country, enforced["country_conversion"])
    if "ip_conversion" in enforced:
        yield raised(by_kind["ip"], "ip", "address", enforced["ip_conversion"])
    if "burst" in enforced and judge_network(decision.facts, policy):
        yield raised(by_kind["network"], "ip", "network", enforced["burst"])
