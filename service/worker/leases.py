"""Claims due rows and starts the next action of each.

Called by worker.loop. Decides nothing itself: states.plan says what is next, verification.sends does it.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import msgspec

from service import telemetry
from service.policy.model import Policies
from service.vault import Vault
from service.verification.callers import Evidence
from service.verification.sends.dispatch import SECOND_LOOK, Dispatch
from service.verification.sends.job import Job
from service.verification.slots import Slots
from service.verification.states import Begin, GiveUp, Rest, Send, TakeOver, plan
from service.verification.storage.rows import Claimed
from service.verification.storage.store import NumberBusy, Store

NUMBER_BUSY = timedelta(seconds=0.5)
EVIDENCE = msgspec.msgpack.Decoder(Evidence)


class Leases:
    """Turns due rows into running sends, as many as there are free slots."""

    def __init__(self, store: Store, vault: Vault, policies: Policies, dispatch: Dispatch, slots: Slots) -> None:
        self._store = store
        self._vault = vault
        self._policies = policies
        self._dispatch = dispatch
        self._slots = slots

    async def claim(self) -> int:
        """Claim due rows for the free slots, start them, and return how many."""
        taken = self._slots.take_for_claim()
        begun = time.monotonic()
        claimed: list[Claimed] | None = None
        try:
            claimed = await self._store.claim(taken, self._vault.tags) if taken else []
        finally:
            # A claim that failed says nothing of who waits; slots that it kept would be lost to this process for good.
            if claimed is None:
                self._slots.give_back(taken)
        if unused := taken - len(claimed):
            self._slots.put_back(unused)
        for row in claimed:
            self._slots.run(self._act(row, begun))
        return len(claimed)

    async def _act(self, row: Claimed, begun: float) -> None:
        plain = self._vault.unseal(row.id, row.sealed) if row.sealed else None
        if plain is None:
            # Its key is known, so the row was altered: no process can read it; none should try before it expires.
            telemetry.log.error("unreadable_row", verification=str(row.id))
            await self._store.rest(row.id, row.token, row.expires_at)
            return
        job = Job(row, self._policies.of(row.client), EVIDENCE.decode(plain), begun)
        await self._follow(job)

    async def _rest(self, job: Job, until: datetime) -> None:
        await job.keep_trying(lambda: self._store.rest(job.row.id, job.row.token, until))

    async def _follow(self, job: Job) -> None:
        row, policy = job.row, job.policy
        step = plan(row.sends, policy.fallback, policy.verification.dispatch_deadline, row.expires_at, row.now)
        match step:
            case Rest(until):
                await self._rest(job, until)
            case TakeOver(send):
                await self._dispatch.take_over(job, send)
            case GiveUp(send):
                await self._dispatch.give_up(job, send)
            case Begin() if row.stale:
                # Its lease ran out before anything was begun: its caller may have been told 503, and a withdrawal may
                # still be on its way.
                await self._rest(job, row.now + timedelta(seconds=SECOND_LOOK))
            case Begin():
                await self._begin(job, step)

    async def _begin(self, job: Job, step: Begin) -> None:
        try:
            begun = await job.keep_trying(lambda: self._store.begin(job.row.id, job.row.token, step))
        except NumberBusy:
            await self._rest(job, job.row.now + NUMBER_BUSY)
            return
        if not begun:
            await self._rest(job, job.row.now)
            return
        send = _begun(job, step)
        job.row.sends = [other for other in job.row.sends if other.ordinal != send.ordinal] + [send]
        await self._dispatch.make(job, send)


def _begun(job: Job, step: Begin) -> Send:
    now = job.clock()
    known = next((send for send in job.row.sends if send.ordinal == step.ordinal), None)
    if known is not None:
        return msgspec.structs.replace(known, state="begun", begun_at=now)
    return Send(
        ordinal=step.ordinal, channel=step.channel, cause=step.cause, state="begun",
        wanted_at=step.wanted_at, due_at=now, begun_at=now,
    )  # fmt: skip
