"""Claim what is due and act on it: the next action of each claimed verification, once.

Called by worker.loop. Decides nothing itself: states.plan says what is next, verification.dispatch does it.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import msgspec

from service import telemetry
from service.policy.model import Policies
from service.vault import Vault
from service.verification.callers import Evidence
from service.verification.dispatch import SECOND_LOOK, Dispatch, Job
from service.verification.slots import Slots
from service.verification.states import Begin, GiveUp, Rest, Send, TakeOver, plan
from service.verification.storage.rows import Claimed
from service.verification.storage.store import NumberBusy, Store

NUMBER_BUSY = timedelta(seconds=0.5)
EVIDENCE = msgspec.msgpack.Decoder(Evidence)


class Leases:
    """Turns due rows into running sends, as many as there are slots."""

    def __init__(self, store: Store, vault: Vault, policies: Policies, dispatch: Dispatch, slots: Slots) -> None:
        """Wire the parts."""
        self._store = store
        self._vault = vault
        self._policies = policies
        self._dispatch = dispatch
        self._slots = slots

    async def claim(self) -> int:
        """Claim due rows for the free slots, and start them. Returns how many."""
        taken = self._slots.take_for_claim()
        begun = time.monotonic()
        claimed: list[Claimed] = []
        try:
            claimed = await self._store.claim(taken, self._vault.tags) if taken else []
        except BaseException:
            self._slots.give_back(taken)
            raise
        if unused := taken - len(claimed):
            self._slots.put_back(unused)
        for row in claimed:
            self._slots.run(self._act(row, begun))
        return len(claimed)

    async def _act(self, row: Claimed, begun: float) -> None:
        plain = self._vault.unseal(row.id, row.sealed) if row.sealed else None
        if plain is None:
            # Its key is here, so it was altered: no process can read it, and none should try again until it is over.
            telemetry.log.error("unreadable_row", verification=str(row.id))
            await self._store.rest(row.id, row.token, row.expires_at)
            return
        job = Job(
            id=row.id,
            client_id=row.client_id,
            phone_hash=row.phone_hash,
            asked_at=row.created_at,
            policy=self._policies.of(row.client),
            test=row.test,
            deliver=row.deliver,
            evidence=EVIDENCE.decode(plain),
            expires_at=row.expires_at,
            token=row.token,
            now=row.now,
            sends=row.sends,
            begun=begun,
            lifts=row.lifts or [],
        )
        await self._follow(job, stale=row.stale)

    async def _rest(self, job: Job, until: datetime) -> None:
        await self._dispatch.keep_trying(job, lambda: self._store.rest(job.id, job.token, until))

    async def _follow(self, job: Job, *, stale: bool) -> None:
        policy = job.policy
        step = plan(job.sends, policy.fallback, policy.verification.dispatch_deadline, job.expires_at, job.now)
        match step:
            case Rest(until):
                await self._rest(job, until)
            case TakeOver(send):
                await self._dispatch.take_over(job, send)
            case GiveUp(send):
                await self._dispatch.give_up(job, send)
            case Begin() if stale:
                await self._rest(job, job.now + timedelta(seconds=SECOND_LOOK))
            case Begin():
                await self._begin(job, step)

    async def _begin(self, job: Job, step: Begin) -> None:
        try:
            begun = await self._dispatch.keep_trying(job, lambda: self._store.begin(job.id, job.token, step))
        except NumberBusy:
            await self._rest(job, job.now + NUMBER_BUSY)
            return
        if not begun:
            await self._rest(job, job.now)
            return
        send = _begun(job, step)
        job.sends = [other for other in job.sends if other.ordinal != send.ordinal] + [send]
        await self._dispatch.make(job, send)


def _begun(job: Job, step: Begin) -> Send:
    now = job.clock()
    known = next((send for send in job.sends if send.ordinal == step.ordinal), None)
    if known is not None:
        return msgspec.structs.replace(known, state="begun", begun_at=now)
    return Send(
        ordinal=step.ordinal, channel=step.channel, cause=step.cause, state="begun",
        wanted_at=step.wanted_at, due_at=now, begun_at=now,
    )  # fmt: skip
