"""The statements on verifications, on the driver.

Called by verification and worker. Each method is one statement and one committed transaction; none is held across a
call to the outside. The clock is the database's, unless `now` drives it (traces played in virtual time).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Literal
from uuid import UUID

import msgspec

from service import telemetry
from service.clients.caller import Caller
from service.db.batch import Batcher, Patience, Waiting
from service.db.engine import Database
from service.db.faults import ConstraintViolated
from service.db.insisting import insist
from service.db.pool import Record
from service.errors import Unavailable, Unclear
from service.policy.model import Policies, Policy
from service.providers.verify.protocol import Delivery
from service.settings import MAX_UNKNOWN
from service.vault import new_token
from service.verification.states import GRACE, LEASE, MOST_SENDS, Begin, GuessResult, Send, SendToCheck
from service.verification.storage import statements as sql
from service.verification.storage.limit_windows import columns_of, guess_limits, joined, widest
from service.verification.storage.owed import Owed
from service.verification.storage.rows import (
    Admission,
    Admitted,
    Applied,
    Backlog,
    Claimed,
    Due,
    FallbackOutcome,
    Guess,
    HeldRow,
    Reserved,
    SendRecord,
    Settled,
    StatusRow,
    Unsettled,
    Verdict,
)
from service.verification.storage.ticks import Ticks

SENDS = msgspec.json.Decoder(list[Send])
SENDS_TO_CHECK = msgspec.json.Decoder(list[SendToCheck])
EVENTS_KEPT = 900.0
# Verifications that one statement ends.
ENDED_AT_ONCE = 500
EVENTS_AT_ONCE = 500
# How long after its reservation a dead process's guess is asked about: longer than any check takes.
SETTLE_AFTER = timedelta(seconds=20)
# And again, at the latest, while nobody can say.
SETTLE_AGAIN = timedelta(seconds=15)
# What no send of ours holds is looked for once more: its send may be just being recorded.
SECOND_LOOK = timedelta(seconds=30)
# Due for so long, a row may be one that no process can claim.
OVERDUE = timedelta(seconds=1)
LEASE_TIME, GRACE_TIME = timedelta(seconds=LEASE), timedelta(seconds=GRACE)
# A caller is answered within 3 s. After the first of these times (seconds) a call is not begun any more, after the
# second it is not waited for. `most`: more than a process can answer within that time.
PATIENCE = Patience(begin=2.0, answer=2.75, most=2000, calls=3)
# Guesses that one call reserves or settles: more would hardly cost less each, and lock up to eight subjects each.
MOST_GUESSES = 16


class NumberBusy(Exception):
    """Another send to this number is in flight."""


class Store:
    """The statements, bound to one database and one clock."""

    def __init__(
        self,
        database: Database,
        policies: Policies,
        now: Callable[[], datetime | None] = lambda: None,
        max_unknown: int = MAX_UNKNOWN,
        ticks: Ticks | None = None,
    ) -> None:
        """A counter keeps as many hits as the widest limit of any policy needs.

        `max_unknown`: how many events about unknown sends are kept. `ticks`: how long calls wait, where it matters.
        """
        ticks = ticks or Ticks()
        self._pool = database.pool
        self._keep = widest(policies)
        self._now = now
        self._max_unknown = max_unknown
        by_number = {policy.number: policy for policy in policies}
        self._columns = {number: columns_of(policy) for number, policy in by_number.items()}
        self._windows = lru_cache(maxsize=256)(lambda numbers: joined(by_number[number] for number in numbers))
        self._places = {policy.number: place for place, policy in enumerate(policies, 1)}
        self._limits = guess_limits(policies)
        self.owed = Owed(self._pool, now, self._limits)
        self.admit = Batcher(
            self._admit, again=partial(self._admit, again=True), patience=PATIENCE, undo=self.owed.requests.put,
            tick=ticks.requests,
        ).submit  # fmt: skip
        self._reserve = Batcher(
            self._reserve_some, MOST_GUESSES, again=partial(self._reserve_some, again=True), patience=PATIENCE,
            undo=self._take_back, tick=ticks.codes,
        ).submit  # fmt: skip
        self._settle_now = Batcher(self.owed.settle, MOST_GUESSES, patience=PATIENCE, tick=ticks.codes).submit
        self._settle_soon = Batcher(self.owed.settle, MOST_GUESSES, patience=PATIENCE, tick=ticks.wrong).submit
        self.record = Batcher(self._record, tick=ticks.records).submit

    async def _admit(self, items: Sequence[Admission], *, again: bool = False) -> list[Admitted]:
        if not again:
            # Once for each item, however often it is carried: a withdrawal waits for the call in which it came first,
            # and under another name that one could still commit it later.
            call = new_token()
            for item in items:
                item.call = call
        windows = self._windows(frozenset(item.policy for item in items))
        rows = await self._pool.fetch(*sql.ADMIT(
            now=self._now(), again=again, lease=LEASE_TIME, grace=GRACE_TIME, keep=self._keep, windows=windows,
            items=items,
        ))  # fmt: skip
        # A function promises no order: unsorted, a caller could be told the result of another.
        return [Admitted(*row[1:]) for row in sorted(rows, key=_place)]

    async def _record(self, items: Sequence[SendRecord]) -> list[bool]:
        kept = {row[0] for row in await self._pool.fetch(*sql.RECORD(now=self._now(), items=items))}
        return [item.token in kept for item in items]

    def _named(self, key: int, client: int, row: UUID, policy: Policy) -> dict[str, object]:
        codes, windows = policy.lockout.codes_per_verification, self._columns[policy.number]
        return {"now": self._now(), "key": key, "client": client, "id": row, "codes": codes, "windows": windows}

    async def _row(self, statement: str, *values: object) -> Record | None:
        return await self._pool.fetchrow(statement, self._now(), *values)

    async def use_fallback(
        self, key: int, client: int, row: UUID, policy: Policy, *,
        fallback: UUID | None = None, waiting: Waiting | None = None,
    ) -> StatusRow[FallbackOutcome]:  # fmt: skip
        """Use the next channel, guarded and counted. With an id the send is held until release_fallback."""
        order = policy.fallback.order if policy.fallback.mode != "off" else []

        async def ask() -> StatusRow[FallbackOutcome]:
            found = _one(await self._pool.fetchrow(*sql.USE_FALLBACK(
                now=self._now(), fallback=fallback, lease=LEASE_TIME, grace=GRACE_TIME, key=key, client=client, id=row,
                order=order, after=timedelta(seconds=policy.fallback.after),
                extends_to=timedelta(seconds=policy.fallback.extends_to),
                longest=timedelta(seconds=policy.verification.longest),
                most_sends=MOST_SENDS, keep=self._keep, codes=policy.lockout.codes_per_verification,
                windows=self._columns[policy.number],
            )))  # fmt: skip
            if found["outcome"] == "held":
                raise Unclear("the fallback before it is not settled yet")
            return StatusRow(*found)

        try:
            return await (ask() if fallback is None else insist(ask, PATIENCE.answer, waiting))
        except Unclear:
            if fallback is not None:
                self.owed.fallbacks_to_withdraw.put(HeldRow(row, fallback))
            raise

    async def read(self, key: int, client: int, row: UUID, policy: Policy) -> StatusRow[Literal["read"]] | None:
        """Read what a caller may know; None for a key that is no longer valid."""
        call = sql.READ(**self._named(key, client, row, policy))
        found = await insist(lambda: self._pool.fetchrow(*call), PATIENCE.answer)
        return StatusRow(*found) if found else None

    async def knows_key(self, idem: UUID) -> bool:
        """Say whether a request has used this Idempotency-Key (as a hash, of its client). Raises Unavailable."""
        return bool(await self._pool.fetchval(sql.KNOWS_KEY, idem))

    async def cancel(self, key: int, client: int, row: UUID, policy: Policy) -> StatusRow[Literal["canceled"]] | None:
        """Cancel a pending verification; None when it was not pending."""
        found = await self._pool.fetchrow(*sql.CANCEL(**self._named(key, client, row, policy)))
        return StatusRow(*found) if found else None

    async def reserve(
        self, caller: Caller, row: UUID, guess: UUID, idem: UUID | None = None, body: UUID | None = None,
        *, waiting: Waiting | None = None,
    ) -> Reserved:  # fmt: skip
        """Reserve one guess, committed before the provider is asked. `body`: hash of the code bound to `idem`.

        Raises Unavailable.
        """
        item = Guess(row, guess, caller.key_id, caller.client_id, self._places[caller.policy.number], idem, body)
        reserved = await self._reserve(item, waiting)
        if reserved.outcome == "held":
            reserved = await self._reserve_held(item, waiting)
        if reserved.outcome == "withdrawn":
            reason = "it was taken back before it came"
            raise Unavailable(reason)
        return reserved

    async def _reserve_some(
        self, items: Sequence[Guess], *, again: bool = False, wait: bool = False
    ) -> list[Reserved]:  # fmt: skip
        rows = await self._pool.fetch(*sql.RESERVE(
            now=self._now(), again=again, wait=wait, settle=SETTLE_AFTER, keep=self._keep, limits=self._limits[:5],
            items=items,
        ))  # fmt: skip
        return [_reserved(row) for row in sorted(rows, key=_place)]

    async def _reserve_held(self, item: Guess, waiting: Waiting | None) -> Reserved:
        """Wait for a row that somebody else has locked: apart from the batches, which it would hold up."""
        try:
            [reserved] = await insist(
                lambda: self._reserve_some([item], again=True, wait=True), PATIENCE.answer, waiting
            )  # fmt: skip
        except Unclear:
            self._take_back(item)
            raise
        return reserved

    def _take_back(self, item: Guess) -> None:
        """Nobody was asked about it: if it was reserved after all, it must not stay counted."""
        self.owed.guesses.put((item.verification_id, Verdict(item.guess, "returned", item.limits)))

    async def sends(self, row: UUID) -> list[SendToCheck]:
        return SENDS_TO_CHECK.decode(_one(await self._pool.fetchrow(*sql.SENDS(id=row)))[0] or "[]")

    async def settle(self, guess: UUID, result: GuessResult, policy: Policy, *, urgent: bool = True) -> Settled:
        """Settle one guess as right, wrong, accepted or returned; later, if the database does not answer now.

        One that is not `urgent` waits for others. Raises Unavailable if it was not settled now, and for a guess that no
        longer exists: a first try, whose reply was lost, gave it back.
        """
        verdict = Verdict(guess, result, self._places[policy.number])
        try:
            settled = await (self._settle_now if urgent else self._settle_soon)(verdict)
            if settled == "held":
                [settled] = await insist(lambda: self.owed.settle([verdict], wait=True), PATIENCE.answer)
        except Unavailable:
            # The provider has compared, and will not again: forgotten, only the verification's state could still tell.
            self.owed.results.put(verdict)
            raise
        if not isinstance(settled, Settled):
            reason = "the guess was given back before"
            raise Unavailable(reason)
        return settled

    async def leave_open(self, guess: UUID) -> None:
        """Have a worker ask again about this guess, soon at first and then every SETTLE_AGAIN."""
        await self._row(sql.LEAVE_OPEN, guess, SETTLE_AGAIN)

    async def unsettled(self, most: int) -> list[Unsettled]:
        """Take guesses whose answers were lost; each is due again if the process that took it dies."""
        rows = await self._pool.fetch(sql.UNSETTLED, self._now(), most, SETTLE_AGAIN)
        return [Unsettled(row[0], row[1], row[2], row[3], SENDS.decode(row[4])) for row in rows]

    async def due(self) -> Due:
        """Return what there is to do, at the cost of one statement that changes nothing."""
        return Due(*_one(await self._row(sql.DUE)))

    async def claim(self, most: int, tags: Sequence[bytes] | None = None) -> list[Claimed]:
        """Claim due verifications under new leases: those sealed under the keys of these tags, or any."""
        rows = await self._pool.fetch(
            *sql.CLAIM(now=self._now(), most=most, lease=LEASE_TIME, grace=GRACE_TIME, tags=tags)
        )
        return [_claimed(row) for row in rows]

    async def begin(self, row: UUID, token: UUID, step: Begin) -> bool:
        """Mark a send as begun, before it may leave; False if the lease is lost. Raises NumberBusy."""
        try:
            return await self._row(
                sql.BEGIN, row, token, step.ordinal, step.channel, step.cause, step.wanted_at
            ) is not None  # fmt: skip
        except ConstraintViolated as error:
            # The unique index of begun sends: with two in flight, nobody could tell whose the newest at Telnyx is.
            raise NumberBusy from error

    async def rest(self, row: UUID, token: UUID, until: datetime) -> None:
        """Give a lease back with nothing done; the row is looked at again at that time, or at once if it was nudged."""
        await self._row(sql.REST, row, token, until)

    async def held(self, provider: str, provider_ids: Sequence[str]) -> set[str]:
        """Return which of a provider's verifications a send of ours already holds."""
        return {row[0] for row in await self._pool.fetch(sql.HELD, provider, list(provider_ids))}

    async def expire(self) -> int:
        """End expired verifications: their numbers are dropped, and money booked for what was not sent is refunded."""
        return int(await self._pool.fetchval(*sql.EXPIRE(now=self._now(), most=ENDED_AT_ONCE)))

    async def backlog(self, tags: Sequence[bytes] | None = None) -> Backlog:
        """Return how long claimable verifications have waited: those sealed under the keys of these tags, or any."""
        return Backlog(*_one(await self._pool.fetchrow(*sql.BACKLOG(now=self._now(), tags=tags, overdue=OVERDUE))))

    async def keep_event(self, provider: str, event_id: str, delivery: Delivery, provider_id: str) -> None:
        """Store what a provider's webhook reported, once."""
        await self._row(sql.KEEP_EVENT, provider, event_id, delivery, provider_id)

    async def apply_some_events(self) -> Applied:
        """Look at the events that are due, EVENTS_AT_ONCE at most."""
        call = sql.APPLY_EVENTS(
            now=self._now(), keep=timedelta(seconds=EVENTS_KEPT), second_look=SECOND_LOOK, batch=EVENTS_AT_ONCE,
            most=self._max_unknown,
        )  # fmt: skip
        return Applied(*_one(await self._pool.fetchrow(*call)))

    async def apply_events(self) -> int:
        """Apply the events that are due to their sends; returns how many were applied."""
        total = 0
        while True:
            done = await self.apply_some_events()
            telemetry.WEBHOOKS.labels("unknown").inc(done.unknown)
            telemetry.WEBHOOKS.labels("dropped").inc(done.dropped)
            total += done.applied
            if done.looked < EVENTS_AT_ONCE:
                return total


def _reserved(row: Record) -> Reserved:
    told = dict(row) | {"sends": SENDS_TO_CHECK.decode(row["sends"] or "[]")}
    del told["item"]
    return Reserved(**told)


def _claimed(row: Record) -> Claimed:
    claimed = Claimed(*row)
    claimed.sends = SENDS.decode(row["sends"])
    return claimed


def _place(row: Record) -> int:
    return int(row[0])


def _one(row: Record | None) -> Record:
    if row is None:
        message = "a statement that always answers one row answered none"
        raise RuntimeError(message)
    return row
