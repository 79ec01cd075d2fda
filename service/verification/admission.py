"""Admit a request: one round trip, before anything is looked up about the number or the device.

Called by api. The reply depends only on the caller's own calls and the clock; sending comes afterwards.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from service.channels import Channel
from service.clients.caller import Caller
from service.db.batch import Waiting
from service.errors import Limited, NotAuthorized, OtherRequestSameKey, SameKeyInFlight
from service.providers.fingerprint.event import EventFound, SealedEvents
from service.vault import Vault, new_id, new_token
from service.verification.callers import Ask, repeat_of, subjects_of
from service.verification.gate import Gate
from service.verification.sends.dispatch import Dispatch
from service.verification.sends.job import Job
from service.verification.slots import Slots
from service.verification.states import Offer, Send, offer
from service.verification.step_up import StepUp
from service.verification.storage.rows import Admission, Admitted, Claimed, HeldRow
from service.verification.storage.store import Store
from service.verification.traces import Traces

PACK = msgspec.msgpack.Encoder()


class Accepted(msgspec.Struct, frozen=True):
    """What the caller is told of an admitted request."""

    id: UUID
    created_at: datetime
    expires_at: datetime
    remaining: int
    offer: Offer | None
    replayed: bool


class Requests:
    """Admits requests, and starts the dispatch of those that got a slot."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        gate: Gate,
        dispatch: Dispatch,
        slots: Slots,
        traces: Traces,
        sealed: SealedEvents | None = None,
        step_up: StepUp | None = None,
    ) -> None:
        """`sealed` opens sealed results, where Fingerprint's keys are set; `step_up` asks for captchas in an alarm."""
        self._step_up = step_up
        self._traces = traces
        self._activity = dispatch.activity
        self._sealed = sealed
        self._store = store
        self._vault = vault
        self._gate = gate
        self._dispatch = dispatch
        self._slots = slots
        self._in_flight: set[UUID] = set()

    async def request(self, caller: Caller, ask: Ask, waiting: Waiting | None = None) -> Accepted:
        """Admit one request; `waiting`: the caller that waits for it.

        Raises Unavailable, Limited, NotAuthorized, SameKeyInFlight, OtherRequestSameKey, ChallengeRequired.
        """
        self._gate.check_requests(caller.policy)
        if self._step_up is not None:
            ask = await self._step_up.check(caller, ask)
        if ask.idem is None:
            return await self._admit(caller, ask, waiting)
        if ask.idem in self._in_flight:
            raise SameKeyInFlight
        self._in_flight.add(ask.idem)
        try:
            return await self._admit(caller, ask, waiting)
        finally:
            self._in_flight.discard(ask.idem)

    async def _admit(self, caller: Caller, ask: Ask, waiting: Waiting | None) -> Accepted:
        # Before the insert, not after: a row that was begun without a slot would wait under its own lease, and could be
        # too old to send when its turn comes.
        begins = self._slots.take()
        # Noted before the lease is asked for: noted after a slow answer, the lease would look younger than it is.
        begun = time.monotonic()
        running = False
        ask = _mark(caller, ask)
        try:
            item, token = self._admission(caller, ask, begins=begins)
            admitted = await self._store.admit(item, waiting)
            if admitted.outcome == "admitted":
                self._traces.begin(item.id)
            if admitted.outcome == "admitted" and admitted.leased:
                row = _claimed(caller, item, token, admitted, ask.channel)
                job = Job(row, caller.policy, ask.evidence, begun)
                self._slots.run(self._dispatch.make(job, row.sends[0]))
                running = True
            elif admitted.outcome == "admitted":
                # Inserted under our lease, so that nothing is sent for a caller who is told 503. Now it may be claimed.
                self._store.owed.rows.put(HeldRow(item.id, token, self._slots.ask))
            if admitted.outcome == "limited" and not caller.test:
                self._activity.note_refused(caller.client, caller.client_id, item.phone_hash)
        finally:
            # Also when the caller hangs up: every slot that is not given back is one send less at a time, for good.
            if begins and not running:
                self._slots.give_back()
        return _accepted(caller, ask, admitted)

    def _admission(self, caller: Caller, ask: Ask, *, begins: bool) -> tuple[Admission, UUID]:
        visitor_id, within = self._visitor(caller, ask), caller.policy.verification.repeat_within
        subjects = subjects_of(self._vault, caller.client_id, ask.evidence, visitor_id=visitor_id, test=caller.test)
        row, token = new_id(), new_token()
        item = Admission(
            id=row,
            key_id=caller.key_id,
            client_id=caller.client_id,
            policy=caller.policy.number,
            phone_hash=subjects.phone_hash,
            channel=ask.channel,
            deliver=ask.deliver,
            test=caller.test,
            lifetime=caller.policy.verification.expires_after,
            codes=caller.policy.lockout.most(),
            phone_limit=subjects.phone_limit,
            ip_limit=subjects.ip_limit,
            account_limit=subjects.account_limit,
            source_budget=subjects.source_budget,
            total_budget=subjects.total_budget,
            sealed=self._vault.seal(row, PACK.encode(ask.evidence)),
            idem=ask.idem,
            body=ask.body,
            token=token,
            sources=subjects.sources,
            begins=begins,
            repeat=repeat_of(self._vault, caller.client_id, ask, subjects.phone_hash) if within else None,
            repeat_within=within,
        )
        return item, token

    def _visitor(self, caller: Caller, ask: Ask) -> str | None:
        """Return the device that a sealed result names; looking up an event id would delay the reply."""
        # One that does not open is no error here: the reply must be the same, and the decision finds it forged.
        sealed = ask.evidence.device_sealed_result
        if sealed is None or self._sealed is None:
            return None
        fresh_for = caller.policy.rules.event_stale.after
        answer = self._sealed.read(sealed, now=datetime.now(UTC), fresh_for=fresh_for)
        return answer.event.visitor_id if isinstance(answer, EventFound) else None


def _mark(caller: Caller, ask: Ask) -> Ask:
    """Note that rules only observe this request, for whichever process decides it."""
    if caller.observed_until is None or caller.observed_until <= datetime.now(UTC):
        return ask
    return msgspec.structs.replace(ask, evidence=msgspec.structs.replace(ask.evidence, observed=True))


def _claimed(caller: Caller, item: Admission, token: UUID, admitted: Admitted, channel: Channel) -> Claimed:
    """Return the row that was just inserted with its lease, as a claim would have brought it: its send is begun."""
    now = admitted.created_at
    first = Send(ordinal=1, channel=channel, cause="request", state="begun", wanted_at=now, due_at=now, begun_at=now)
    return Claimed(
        id=admitted.id,
        client_id=caller.client_id,
        client=caller.client,
        phone_hash=item.phone_hash,
        status="pending",
        deliver=item.deliver,
        test=item.test,
        created_at=now,
        expires_at=admitted.expires_at,
        sealed=item.sealed,
        token=token,
        waived=admitted.waived,
        sends=[first],
        now=now,
    )


def _accepted(caller: Caller, ask: Ask, admitted: Admitted) -> Accepted:
    if admitted.outcome == "unauthorized":
        raise NotAuthorized
    if admitted.outcome == "limited":
        raise Limited(admitted.wait or 1.0)
    if admitted.outcome == "in_flight":
        raise SameKeyInFlight
    if admitted.outcome == "mismatch":
        raise OtherRequestSameKey
    return Accepted(
        id=admitted.id,
        created_at=admitted.created_at,
        expires_at=admitted.expires_at,
        remaining=admitted.remaining,
        offer=offer(caller.policy.fallback, [ask.channel], admitted.created_at),
        replayed=admitted.outcome == "replayed",
    )
