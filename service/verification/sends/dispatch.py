"""Make one send: decide, call, record. Never makes it twice, and holds nothing while it waits for the network.

Called by verification.admission and worker.leases. What becomes of a send is written under the lease token, so that a
process that was too slow changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from service import phone, telemetry, tracing
from service.db.calls import JsonText
from service.db.faults import ConstraintViolated
from service.fraud.decision import Decision, writable
from service.fraud.judge import Judge
from service.fraud.tally import Tally
from service.providers.verify.protocol import InDoubt, Order, Provider, SendAnswer
from service.verification.activity import Activity
from service.verification.senders import Senders
from service.verification.sends.adopting import Adopting
from service.verification.sends.deciding import Deciding, kept_with_send
from service.verification.sends.job import Job
from service.verification.sends.results import SendResult, result_of
from service.verification.sends.starts import Starts
from service.verification.states import LEASE, SEND_LIMIT, Rest, Send, plan
from service.verification.storage.rows import SendRecord
from service.verification.storage.store import Store
from service.verification.traces import Traces

JSON = msgspec.json.Encoder()
# Seconds that a code stays good at Telnyx for longer than here. Without them, a right code that is given in the last
# second would be compared wrong.
CODE_OUTLIVES = 5
# A row whose lease ran out is sent to this much later (seconds): if its admission was committed late, the lease was
# over before anybody could see the row, and its caller may have been answered 503.
SECOND_LOOK = 2.0
# Seconds over which the beginning of sends is spread, beside the time for which their decisions wait for each other
# (fraud.storage.store). A caller who calls again right after the reply can tell how busy the process is, and must not
# be able to tell a real send from a decoy's.
SPREAD = 0.005


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
        self.activity = activity if activity is not None else Activity()
        self._starts = Starts(spread)
        self._deciding = Deciding(judge, tally or Tally(), self.activity)
        self._adopting = Adopting(store, senders)
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
        decision = await self._deciding.decide(job, send) if send.allowed is None else None
        allowed = bool(send.allowed) if decision is None else decision.allow
        if decision is not None:
            send = msgspec.structs.replace(send, by=decision.by)
        kept = kept_with_send(job, decision)
        provider = self._choose(job, allow=allowed)
        pause = self._pause(job)
        # A call takes up to SEND_LIMIT: still out when the lease ends, it would be made again by the next holder.
        if pause > 0 or job.age() > LEASE - SEND_LIMIT:
            await self._record(job, send, provider, SendResult("due", wait=pause, error=self._why_paused(job)), kept)
            return
        answer = await self._senders.send(provider, self._order(job, send))
        # Telnyx may have acted on it. Without its id, the code that reached the phone cannot be checked.
        if isinstance(answer, InDoubt):
            answer = await self._adopting.adopt(job, send, provider) or answer
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
        found = await self._adopting.find(job, send, provider)
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

    def _pause(self, job: Job) -> float:
        return 0.0 if job.row.test else self._senders.health.wait_of(self._senders.profile_of(job.policy))

    def _why_paused(self, job: Job) -> str:
        """Return the code of Telnyx' that keeps every send waiting, if it is known; a send's own last cause stays."""
        trouble = None if job.row.test else self._senders.health.trouble(self._senders.profile_of(job.policy))
        reason = trouble.reason if trouble else None
        return reason.removeprefix("ours_") if reason and reason.startswith("ours_") else "waited"

    def _order(self, job: Job, send: Send) -> Order:
        remaining = (job.row.expires_at - job.clock()).total_seconds()
        return Order(
            phone_number=job.evidence.phone_number,
            channel=send.by or send.channel,
            profile_id=self._senders.profile_of(job.policy),
            timeout_secs=max(1, round(remaining)) + CODE_OUTLIVES,
        )

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
        kept = await job.keep_trying(lambda: self._store.record(recorded))
        # Otherwise what is due now would wait for the next round of claims.
        if not recorded.next_in:
            self._hurry()
        name = recorded.provider or "none"
        telemetry.sends_of(send.by or send.channel, name, outcome.state if kept else "lost_lease").inc()
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
