"""The worker's rounds: claims, webhooks, lost answers, the gate, retention, alarms. One task each, forever.

Started and stopped by app. One round asks what is due and wakes those that do it: an idle process asks the database no
more than that. A round that fails is logged and repeated: a database that was away is found again without a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from service import telemetry
from service.callbacks.delivery import Delivery
from service.errors import Unavailable
from service.providers.verify.health import Prober
from service.verification.core import Core
from service.verification.states import LEASE
from service.verification.storage.rows import Backlog, Due
from service.worker.activity_log import STORE_EVERY, ActivityLog
from service.worker.alarms import LOOK_EVERY as ALARM_EVERY
from service.worker.alarms import Alarms
from service.worker.leases import Leases
from service.worker.retention import Retention

CLAIM_EVERY = 0.25
LOOK_EVERY = 1.0
KEYS_EVERY = 30.0
PURGE_EVERY = 300.0
MOST_LOST = 20
AFTER_FAILURE = 1.0
# A send takes 8 s at most, its look-up 5 s more; what is not recorded when the lease ends belongs to another process.
DRAIN = LEASE
# Seconds that `stop` takes at most: a claim and the alerts that are being posted end within 5 each.
STOP_LIMIT = DRAIN + 10.0

Work = Callable[[], Awaitable[object]]
ALL_DUE = Due(claimable=True, over=True, unsettled=True, reported=True)


class Round(NamedTuple):
    """Work that is repeated after `every` seconds, or once `wake` is set; `asked`: not before it is set."""

    work: Work
    every: float = 0.0
    wake: asyncio.Event | None = None
    asked: bool = False


class Worker:
    """Everything that happens after the reply, in one process."""

    def __init__(self, core: Core, prober: Prober, alarms: Alarms, delivery: Delivery) -> None:
        self._store = core.store
        self._gate = core.gate
        self._prober = prober
        self._ended = core.ended
        self._slots = core.slots
        self._leases = Leases(core.store, core.vault, core.policies, core.dispatch, core.slots)
        self._checks = core.checks
        self._policies = core.policies
        self._keys = core.keys
        self._retention = Retention(core.database, core.now)
        self._alarms = alarms
        self._delivery = delivery
        self._activity_log = ActivityLog(core.database.pool, core.activity, core.now)
        # How the rows begin that this process can read.
        self._tags = core.vault.tags
        self._unreadable = False
        self._due = ALL_DUE
        self._over, self._unsettled = asyncio.Event(), asyncio.Event()
        self.events = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._claiming: asyncio.Task[int] | None = None

    def start(self) -> None:
        rounds = [
            Round(self._find_due, CLAIM_EVERY),
            Round(self._claim, wake=self._slots.wanted, asked=True),
            Round(self._expire, LOOK_EVERY, self._over, asked=True),
            Round(self._store.apply_events, wake=self.events, asked=True),
            Round(self._settle, LOOK_EVERY, self._unsettled, asked=True),
            Round(self._look, LOOK_EVERY),
            Round(self._keys.keep_up, KEYS_EVERY),
            Round(self._probe, LOOK_EVERY),
            Round(self._ended.refresh, LOOK_EVERY),
            Round(self._purge, PURGE_EVERY),
            Round(self._alarms.look, ALARM_EVERY),
            Round(self._delivery.deliver, CLAIM_EVERY, self._delivery.wanted),
            Round(self._activity_log.store, STORE_EVERY),
        ]
        self._tasks = [asyncio.create_task(_repeat(entry)) for entry in rounds]

    async def stop(self) -> None:
        """Claim nothing more, and let running sends end and be recorded, and entered codes be told to the histories."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Cut off, it would leave rows that are claimed and that nobody acts on until their leases are over.
        if self._claiming is not None:
            await asyncio.wait([self._claiming])
        await self._slots.drain(DRAIN)
        await self._checks.finish()
        await self._alarms.stop()
        with contextlib.suppress(Unavailable):
            await self._activity_log.store()

    async def _find_due(self) -> None:
        """Wake whoever has something to do. Asking each for itself would cost an idle process twice as much."""
        # Where that cannot be asked, each looks for itself: what is wrong may be the trouble of one of them.
        self._due = ALL_DUE
        try:
            self._due = await self._store.due()
        finally:
            self._wake_due()

    def _wake_due(self) -> None:
        found = (
            (self._due.claimable, self._slots.wanted), (self._due.over, self._over),
            (self._due.unsettled, self._unsettled), (self._due.reported, self.events),
        )  # fmt: skip
        for due, wake in found:
            if due:
                wake.set()

    async def _expire(self) -> None:
        while await self._store.expire():
            pass

    async def _claim(self) -> None:
        """Claim, and finish that even on a stop: rows claimed for nothing would wait until their leases are over."""
        while await asyncio.shield(self._begin_claim()):
            pass

    def _begin_claim(self) -> asyncio.Task[int]:
        self._claiming = asyncio.create_task(self._leases.claim())
        return self._claiming

    async def _purge(self) -> None:
        for name, gone in (await self._retention.purge()).items():
            if isinstance(gone, Exception):
                telemetry.log.warning("purge_failed", table=name, exc_info=gone)

    async def _settle(self) -> None:
        """Settle all at the same time: one that the provider does not answer must not delay the others."""
        lost = await self._store.unsettled(MOST_LOST)
        await asyncio.gather(*(self._checks.settle_lost(guess, self._policies.of(guess.client)) for guess in lost))

    async def _look(self) -> None:
        nothing = Backlog(waited=0.0, unreadable=False)
        backlog = await self._store.backlog(self._tags) if self._due.claimable else nothing
        if backlog.unreadable and not self._unreadable:
            telemetry.log.error("unreadable_rows")
        self._gate.backlog, self._unreadable = backlog.waited, backlog.unreadable
        telemetry.BACKLOG.set(self._gate.backlog)
        telemetry.SLOTS.set(self._slots.free)
        health = self._gate.health
        telemetry.BREAKER.set(float(health.trouble() is not None))
        reasons = health.reasons_of_profiles()
        for profile_id, owners in health.owners.items():
            for client in owners:
                telemetry.PROFILE_OPEN.labels(client).set(float(profile_id in reasons))

    async def _probe(self) -> None:
        """Probe in a task of its own: a Telnyx that hangs would delay the gate's round."""
        await self._gate.health.tick(self._prober)


async def _repeat(entry: Round) -> None:
    while True:
        try:
            await entry.work()
        except Exception:
            # Nobody would notice a round that has ended, until its work had piled up. The next one starts afresh.
            telemetry.log.warning("round_failed", round=getattr(entry.work, "__name__", "?"), exc_info=True)
            await asyncio.sleep(AFTER_FAILURE)
        await _wait(entry)


async def _wait(entry: Round) -> None:
    if entry.wake is None:
        await asyncio.sleep(entry.every)
        return
    if entry.asked:
        await asyncio.sleep(entry.every)
        await entry.wake.wait()
    else:
        # Not wait_for: in Python 3.11 it can swallow the cancellation that stops this task.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(entry.every):
                await entry.wake.wait()
    entry.wake.clear()
