"""Make one send: decide, call, record. Never makes it twice, and holds nothing while it waits for the network.

Called by admission (a row inserted with its lease) and by worker (a claimed row). What becomes of a send is
written under the lease token, so that a process that was too slow changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from service import phone, telemetry, tracing
from service.addresses import network_of
from service.channels import CHANNELS
from service.db.calls import JsonText
from service.db.faults import ConstraintViolated
from service.errors import Unavailable
from service.fraud.decision import Decision, Finding, writable
from service.fraud.judge import Judge
from service.fraud.question import Question
from service.fraud.tally import Tally
from service.policy.model import Policy
from service.providers.verify.protocol import (
    InDoubt,
    ListedVerification,
    NotCompared,
    Order,
    Provider,
    SendAnswer,
    Sent,
)
from service.verification.activity import Activity
from service.verification.callers import Evidence
from service.verification.review import find_mark
from service.verification.send_results import SendResult, result_of
from service.verification.senders import Senders
from service.verification.starts import Starts
from service.verification.states import LEASE, SEND_LIMIT, Rest, Send, plan
from service.verification.storage.rows import Claimed, SendRecord
from service.verification.storage.store import Store
from service.verification.traces import Traces

T = TypeVar("T")
JSON = msgspec.json.Encoder()
# How far Telnyx's clock and ours may differ when we look for a send of ours.
CLOCKS_DIFFER = timedelta(seconds=5)
# Seconds that a code stays good at Telnyx for longer than here. Without them, a right code that is given in the last
# second would be compared wrong.
CODE_OUTLIVES = 5
# Telnyx may still be at work when our time limit ends: a send that is not found is looked for again after this (s).
LOOK_AGAIN = 2.0
# A row whose lease ran out is sent to this much later (seconds): if its admission was committed late, the lease was
# over before anybody could see the row, and its caller may have been answered 503.
SECOND_LOOK = 2.0
# Seconds over which the beginning of sends is spread, beside the time for which they wait for each other
# (db.batch.AFTER_REPLY). A caller who calls again right after the reply can tell how busy the process is, and must not
# be able to tell a real send from a decoy's.
SPREAD = 0.02


class Job(msgspec.Struct, frozen=True):
    """A verification whose lease this process holds, as the database gave it, and what was sealed in it.

    `waived`: the rules and limits that an operator had waived for its number when it was requested.
    """

    row: Claimed
    policy: Policy
    evidence: Evidence
    begun: float

    def age(self) -> float:
        """Return how long the lease has been held, in seconds of this process's steady clock."""
        return time.monotonic() - self.begun

    def review(self) -> str | None:
        """Return the id of the review number that it is for."""
        return None if self.row.test else find_mark(self.row.waived)

    def clock(self) -> datetime:
        """Return the database's time, carried on by this process's steady clock."""
        return self.row.now + timedelta(seconds=self.age())


class Dispatch:
    """Makes sends, from the decision to the record."""

    def __init__(
        self, store: Store, judge: Judge, senders: Senders, hurry: Callable[[], None], traces: Traces,
        spread: float = SPREAD, tally: Tally | None = None, activity: Activity | None = None,
    ) -> None:  # fmt: skip
        """`hurry` is called when a verification has something to do at once; `tally` counts what is decided.

        `activity`: what was done; admission counts there as well.
        """
        self._traces = traces
        self._tally = tally or Tally()
        self.activity = activity if activity is not None else Activity()
        self._starts = Starts(spread)
        self._judge = judge
        self._store = store
        self._senders = senders
        self._hurry = hurry

    async def make(self, job: Job, send: Send) -> None:
        """Make a send that is begun under our lease, and record how it ended.

        It is decided once: an earlier decision stands, even if its process has died since.
        """
        async with self._traces.join("send", job.row.id, channel=send.channel, cause=send.cause):
            await self._make(job, send)

    async def _make(self, job: Job, send: Send) -> None:
        await self._starts.wait()
        decision = await self._decide(job, send) if send.allowed is None else None
        allowed = bool(send.allowed) if decision is None else decision.allow
        if decision is not None:
            send = msgspec.structs.replace(send, by=decision.by)
        kept = _kept(job, decision)
        provider = self._choose(job, allow=allowed)
        pause = self._pause(job)
        # A call takes up to SEND_LIMIT: still out when the lease ends, it would be made again by the next holder.
        if pause > 0 or job.age() > LEASE - SEND_LIMIT:
            await self._record(job, send, provider, SendResult("due", wait=pause, error=self._why_paused(job)), kept)
            return
        answer = await self._senders.send(provider, self._order(job, send))
        # Telnyx may have acted on it. Without its id, the code that reached the phone cannot be checked.
        if isinstance(answer, InDoubt):
            answer = await self._adopt(job, send, provider) or answer
        await self._end(job, send, provider, answer, kept)

    async def take_over(self, job: Job, send: Send) -> None:
        """Finish a send that another process began: adopt what it made, or make it due again a little later.

        That process may be alive, and about to take back a request that it answered 503.
        """
        async with self._traces.join("take over a send", job.row.id, channel=send.channel, cause=send.cause):
            await self._take_over(job, send)

    async def _take_over(self, job: Job, send: Send) -> None:
        # Of a suppressed send nothing can have left: looked up at Telnyx, it could adopt what is not its own.
        provider = self._choose(job, allow=send.allowed is not False)
        found = await self._find(job, send, provider)
        if found is None:
            await self._record(job, send, provider, SendResult("due", wait=SECOND_LOOK, error="interrupted"), None)
            return
        await self._end(job, send, provider, found, None)

    async def give_up(self, job: Job, send: Send) -> None:
        """Record a send as abandoned, because its deadline has passed."""
        async with self._traces.join("give up a send", job.row.id, channel=send.channel, cause=send.cause):
            await self._record(job, send, None, SendResult("abandoned", error="deadline"), None)

    def _choose(self, job: Job, *, allow: bool) -> Provider:
        return self._senders.choose(test=job.row.test, allow=job.row.deliver and allow, review=job.review())

    async def _decide(self, job: Job, send: Send) -> Decision:
        with tracing.span("decide"):
            decision = await self._judge_send(job, send)
            rules = [finding.rule for finding in decision.findings]
            tracing.note(allow=decision.allow, rules=rules, policy_version=decision.policy_version)
        for finding in decision.findings:
            telemetry.FINDINGS.labels(finding.rule, finding.mode).inc()
            telemetry.log.info("rule", verification=str(job.row.id), **_told(finding))
        return decision

    async def _judge_send(self, job: Job, send: Send) -> Decision:
        question = self._judge.widen(_question(job, send))
        if job.row.test:
            decision = self._judge.decide_test(question, job.policy)
        elif job.review() is not None:
            decision = self._judge.decide_review(question, job.policy)
        else:
            # Two loops, not one around both: repeated together, a database that is away for a while would have
            # Fingerprint asked again each time, and a captcha's token is good for one question.
            gathered = await self.keep_trying(job, lambda: self._judge.gather(question, job.policy))
            decision = await self.keep_trying(job, lambda: self._judge.settle(question, job.policy, gathered))
            if job.row.deliver and send.ordinal == 1:
                self._tally.note(job.row.client, decision)
            self._count_decided(job, send, decision)
        return decision

    def _count_decided(self, job: Job, send: Send, decision: Decision) -> None:
        where = job.row.client, decision.facts.number.country, decision.by or send.channel
        if send.ordinal == 1:
            self.activity.note("requests", *where)
            if not job.row.deliver:
                self.activity.note("decoys", *where)
        if job.row.deliver and not decision.allow:
            self.activity.note("suppressed", *where)

    def _pause(self, job: Job) -> float:
        return 0.0 if job.row.test else self._senders.health.wait_of(self._profile(job))

    def _why_paused(self, job: Job) -> str:
        """Return the code of Telnyx' that keeps every send waiting, if it is known; a send's own last cause stays."""
        trouble = None if job.row.test else self._senders.health.trouble(self._profile(job))
        reason = trouble.reason if trouble else None
        return reason.removeprefix("ours_") if reason and reason.startswith("ours_") else "waited"

    def _order(self, job: Job, send: Send) -> Order:
        remaining = (job.row.expires_at - job.clock()).total_seconds()
        return Order(
            phone_number=job.evidence.phone_number,
            channel=send.by or send.channel,
            profile_id=self._profile(job),
            timeout_secs=max(1, round(remaining)) + CODE_OUTLIVES,
        )

    def _profile(self, job: Job) -> str:
        return job.policy.client.verify_profile_id or self._senders.profile_id

    async def _adopt(self, job: Job, send: Send, provider: Provider) -> SendAnswer | None:
        found = await self._find(job, send, provider)
        # Only while the lease leaves time for a second look and the record.
        if not isinstance(found, Sent) and job.age() < SEND_LIMIT + 1:
            await asyncio.sleep(LOOK_AGAIN)
            found = await self._find(job, send, provider)
        return found if isinstance(found, Sent) else None

    async def _find(self, job: Job, send: Send, provider: Provider) -> Sent | InDoubt | None:
        """Look our send up at the provider: found, None if there is none, in doubt if the provider is unavailable."""
        listed = await provider.look_up(job.evidence.phone_number)
        # A list that could not be read is not an empty one: sent again on its word, the number would get two codes.
        if isinstance(listed, NotCompared):
            return InDoubt("look_up_failed")
        since = (send.begun_at or send.due_at) - CLOCKS_DIFFER
        ours = [found for found in listed if self._is_ours(job, send, found, since)]
        ids = [found.provider_id for found in ours]
        held = await self.keep_trying(job, lambda: self._store.held(provider.name, ids))
        # What another row holds is that row's. Of the rest the newest: sends to one number take turns, so nothing newer
        # can belong to one that is still on its way.
        free = [found for found in ours if found.provider_id not in held]
        return Sent(max(free, key=lambda found: found.created_at).provider_id) if free else None

    def _is_ours(self, job: Job, send: Send, found: ListedVerification, since: datetime) -> bool:
        # A UUID may come back in other letters than it was set in.
        same = found.channel in _channels(job, send) and found.profile_id.lower() == self._profile(job).lower()
        return same and found.created_at >= since

    async def _end(
        self, job: Job, send: Send, provider: Provider, answer: SendAnswer, decision: Decision | None
    ) -> None:
        outcome = result_of(answer, send.attempts, self._pause(job))
        try:
            await self._record(job, send, provider, outcome, decision)
        except ConstraintViolated:
            # Another row adopted this id first. In doubt counts as sent: made again, it would be a second code.
            await self._record(job, send, provider, SendResult("in_doubt", error="held_by_another"), decision)

    async def _record(
        self, job: Job, send: Send, provider: Provider | None, outcome: SendResult, decision: Decision | None
    ) -> None:
        recorded = SendRecord(
            id=job.row.id,
            token=job.row.token,
            ordinal=send.ordinal,
            state=outcome.state,
            wait=outcome.wait,
            provider=provider.name if provider else None,
            real=provider.real if provider else None,
            provider_id=outcome.provider_id,
            error=outcome.error,
            delivery=outcome.delivery,
            decision=JsonText(JSON.encode(writable(decision)).decode()) if decision else None,
            next_in=_next_in(job, send, outcome),
        )
        kept = await self.keep_trying(job, lambda: self._store.record(recorded))
        # Otherwise what is due now would wait for the next round of claims.
        if not recorded.next_in:
            self._hurry()
        name = recorded.provider or "none"
        telemetry.SENDS.labels(send.by or send.channel, name, outcome.state if kept else "lost_lease").inc()
        if kept and provider is not None and provider.real and outcome.state in ("sent", "in_doubt"):
            country = phone.describe(job.evidence.phone_number).country
            self.activity.note("sends", job.row.client, country, send.by or send.channel)
        if outcome.state != "due":
            telemetry.SEND_SECONDS.observe((job.clock() - send.wanted_at).total_seconds())
        tracing.note(provider=name, outcome=outcome.state, kept=kept)
        telemetry.log.info(
            "send", verification=str(job.row.id), channel=send.by or send.channel, provider=name,
            outcome=outcome.state, error=outcome.error, kept=kept,
        )  # fmt: skip

    async def keep_trying(self, job: Job, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat work while the database is away, for as long as the lease lasts."""
        while True:
            try:
                return await work()
            except Unavailable:
                # By now another process may hold the row, and goes on from what the database has of it.
                if job.age() > LEASE:
                    raise
                await asyncio.sleep(0.5)


def _question(job: Job, send: Send) -> Question:
    evidence = job.evidence
    return Question(
        id=job.row.id,
        ordinal=send.ordinal,
        client_id=job.row.client_id,
        phone_hash=job.row.phone_hash,
        phone_number=evidence.phone_number,
        channel=send.channel,
        asked_at=job.row.created_at,
        counts=job.row.deliver,
        ip_address=evidence.ip_address,
        network=network_of(evidence.ip_address) if evidence.ip_address else None,
        account_id=evidence.account_id,
        event_id=evidence.device_event_id,
        sealed_result=evidence.device_sealed_result,
        captcha_token=evidence.captcha_token,
        captcha=evidence.captcha
        or next((one.captcha for one in job.row.sends if one.captcha in ("passed", "failed")), None),
        captcha_begun=any(_begun_in_vain(one, send) for one in job.row.sends),
        waived=job.row.waived or (),
        observed=evidence.observed,
    )


def _begun_in_vain(one: Send, now: Send) -> bool:
    """Return whether a send was begun before this try, and its decision was lost."""
    return one.allowed is None and one.begun_at is not None and (one is not now or one.attempts > 0)


def _channels(job: Job, send: Send) -> set[str]:
    """Return the channels by which a send may have gone: an sms to a landline whose decision is lost, also by call."""
    channels, other = {str(send.by or send.channel)}, CHANNELS[send.channel].landline
    if send.allowed is not None or other is None or job.policy.rules.landline.mode != "enforce":
        return channels
    landline = job.policy.lookup.mode == "on" or phone.describe(job.evidence.phone_number).kind == "fixed"
    return channels | {other} if landline else channels


def _kept(job: Job, decision: Decision | None) -> Decision | None:
    """Return the decision on a test client's or a review's send, to be recorded; others were stored when resolved."""
    if decision is None or not (job.row.test or job.review() is not None):
        return None
    return msgspec.structs.replace(decision, explain=True) if job.evidence.explain else decision


def _told(finding: Finding) -> dict[str, str]:
    return {"rule": finding.rule, "mode": finding.mode, "detail": finding.detail}


def _next_in(job: Job, send: Send, outcome: SendResult) -> float:
    """Return after how many seconds the verification has something to do again, once this is recorded."""
    now = job.clock()
    ended = msgspec.structs.replace(
        send, state=outcome.state, ended_at=now, due_at=now + timedelta(seconds=outcome.wait), delivery=outcome.delivery
    )
    sends = [ended if other.ordinal == send.ordinal else other for other in job.row.sends]
    # `plan` is the only place that knows what follows what: the statement is only told when to look again.
    step = plan(sends, job.policy.fallback, job.policy.verification.dispatch_deadline, job.row.expires_at, now)
    return max(0.0, (step.until - now).total_seconds()) if isinstance(step, Rest) else 0.0
