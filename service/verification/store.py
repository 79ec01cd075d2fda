"""Every statement of the heart, on the driver: what happens to a verification goes through here.

Called by this package and worker. Each method is one statement and one committed transaction; none is
held across a call to the outside. The clock is the database's, unless `now` drives it (history decided
again, traces played in virtual time).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from service import telemetry
from service.db.asking import ask
from service.db.batch import HOPELESS, Batcher
from service.db.engine import LOST, Database
from service.errors import Unavailable
from service.fraud.policy import Policies, Policy, Window
from service.verification import statements as sql
from service.verification.callers import Caller
from service.verification.rows import (
    Admission,
    Admitted,
    Backlog,
    Claimed,
    Recorded,
    Reserved,
    Settled,
    StatusRow,
    Unsettled,
)
from service.verification.states import GRACE, LEASE, MOST_SENDS, Begin, Send
from service.verification.windows import columns_of, joined, widest

SENDS = msgspec.json.Decoder(list[Send])
EVENTS_KEPT = 900.0
# Verifications that one statement ends.
ENDED_AT_ONCE = 500
EVENTS_AT_ONCE = 500
# Events about none of our sends that wait for one: 1,000 a second would still leave each 100 s, and ours are recorded
# within 20, also where another process has to.
MOST_UNKNOWN = 100_000
# A guess whose process died is asked about this long after it was reserved: longer than any check takes.
SETTLE_AFTER = 20.0


class NumberBusy(Exception):
    """Another send to this number is in flight."""


class Store:
    """The statements, bound to one database and one clock."""

    def __init__(
        self, database: Database, policies: Policies, now: Callable[[], datetime | None] = lambda: None
    ) -> None:
        """Use the pool; hits are kept as long as the widest limit of any policy needs them."""
        self._database = database
        self._pool = database.pool
        self._keep = widest(policies)
        self._now = now
        by_number = {policy.number: policy for policy in policies}
        self._columns = {number: columns_of(policy) for number, policy in by_number.items()}
        self._windows = lru_cache(maxsize=256)(lambda numbers: joined(by_number[number] for number in numbers))
        self.admit = Batcher(self._admit).submit
        self.record = Batcher(self._record).submit

    async def _admit(self, items: Sequence[Admission], *, again: bool) -> list[Admitted]:
        windows = self._windows(frozenset(item.policy for item in items))
        columns = zip(*map(msgspec.structs.astuple, items), strict=True)
        rows = await self._pool.fetch(
            sql.ADMIT, self._now(), again, LEASE, GRACE, self._keep, *windows, *map(list, columns)
        )
        return [Admitted(*row[1:]) for row in sorted(rows, key=_place)]

    async def _record(self, items: Sequence[Recorded], *, again: bool) -> list[bool]:  # noqa: ARG002 (a record is safe to repeat)
        columns = zip(*map(msgspec.structs.astuple, items), strict=True)
        kept = {row[0] for row in await self._pool.fetch(sql.RECORD, self._now(), *map(list, columns))}
        return [item.token in kept for item in items]

    async def _row(self, statement: str, *values: object) -> asyncpg.Record | None:
        return await self._ask(statement, self._now(), *values)

    async def _ask(self, statement: str, *values: object) -> asyncpg.Record | None:
        try:
            return await self._pool.fetchrow(statement, *values)
        except (*HOPELESS, *LOST) as error:
            reason = f"the database did not answer: {type(error).__name__}"
            raise Unavailable(reason, retry_after=2) from error

    async def press(self, key: int, client: int, row: UUID, policy: Policy) -> StatusRow:
        """Press the next channel, guarded and counted."""
        order = policy.fallback.order if policy.fallback.mode != "off" else []
        found = await self._row(
            sql.PRESS, key, client, row, order, policy.fallback.after, MOST_SENDS, self._keep,
            policy.lockout.codes_per_verification, *self._columns[policy.number],
        )  # fmt: skip
        return StatusRow(*_one(found))

    async def read(self, key: int, client: int, row: UUID, policy: Policy) -> StatusRow | None:
        """Read what a caller may know; None for a key that is no longer good."""
        codes = policy.lockout.codes_per_verification
        found = await self._row(sql.READ, key, client, row, codes, *self._columns[policy.number])
        return StatusRow(*found) if found else None

    async def cancel(self, key: int, client: int, row: UUID, policy: Policy) -> bool:
        """Cancel a pending verification; False when it was not pending."""
        codes = policy.lockout.codes_per_verification
        return await self._row(sql.CANCEL, key, client, row, codes, *self._columns[policy.number]) is not None

    async def reserve(
        self, caller: Caller, row: UUID, guess: UUID, idem: UUID | None = None, body: UUID | None = None
    ) -> Reserved:
        """Reserve one guess, committed before anybody is asked about it. `body`: what `idem` was given for, hashed."""
        policy = caller.policy
        found = _one(await self._row(
            sql.RESERVE, caller.key_id, caller.client_id, row, guess, idem, body, SETTLE_AFTER,
            policy.lockout.codes_per_verification, self._keep, *self._columns[policy.number],
        ))  # fmt: skip
        return Reserved(**{**found, "sends": SENDS.decode(found["sends"] or "[]")})

    async def sends(self, row: UUID) -> list[Send]:
        """Read the sends of one verification."""
        return SENDS.decode(_one(await self._ask(sql.SENDS, row))[0])

    async def settle(self, guess: UUID, result: str, policy: Policy) -> Settled:
        """Settle one guess as right, wrong, accepted or returned."""
        codes = policy.lockout.codes_per_verification
        return Settled(*_one(await self._row(sql.SETTLE, guess, result, codes, *self._columns[policy.number])))

    async def leave_open(self, guess: UUID) -> None:
        """Have a worker ask again what became of this guess, soon at first and every 15 s in the end."""
        await self._row(sql.LEAVE_OPEN, guess)

    async def unsettled(self, most: int) -> list[Unsettled]:
        """Take guesses whose answers were lost; each comes again after 15 s if the process that took it dies."""
        rows = await self._pool.fetch(sql.UNSETTLED, self._now(), most)
        return [Unsettled(row[0], row[1], row[2], row[3], SENDS.decode(row[4])) for row in rows]

    async def claim(self, most: int, tags: Sequence[bytes] | None = None) -> list[Claimed]:
        """Claim due verifications under fresh leases: those sealed under the keys of these tags, or any."""
        rows = await self._pool.fetch(sql.CLAIM, self._now(), most, LEASE, GRACE, tags)
        return [Claimed(**{**row, "sends": SENDS.decode(row["sends"])}) for row in rows]

    async def begin(self, row: UUID, token: UUID, step: Begin) -> bool:
        """Mark a send begun, before it may leave; False when the lease is gone. Raises NumberBusy."""
        try:
            return await self._row(
                sql.BEGIN, row, token, step.ordinal, step.channel, step.cause, step.wanted_at
            ) is not None  # fmt: skip
        except asyncpg.UniqueViolationError as error:
            raise NumberBusy from error

    async def rest(self, row: UUID, token: UUID, until: datetime) -> None:
        """Give a lease back with nothing done; the row is looked at again then, or at once if it was nudged."""
        await self._row(sql.REST, row, token, until)

    async def held(self, provider_ids: Sequence[str]) -> set[str]:
        """Say which of the provider's verifications some send of ours holds already."""
        return {row[0] for row in await self._pool.fetch(sql.HELD, list(provider_ids))}

    async def keys(self) -> list[dict[str, Any]]:
        """List the keys that have not been revoked, each with its client."""
        return await ask(self._database, sql.KEYS)

    async def enter_operator(self, key: int, windows: Sequence[tuple[UUID, Window]]) -> float | None:
        """Count an operator's call; return how long to wait where it was not (s), None for a key that is not good."""
        columns = ([subject for subject, _ in windows], [w.max for _, w in windows], [w.seconds for _, w in windows])
        [row] = await ask(self._database, sql.ENTER_OPERATOR, self._now(), key, self._keep, *columns)
        wait: float | None = row["wait"]
        return wait

    async def note_key_uses(self, keys: Sequence[int]) -> None:
        """Write down that these keys were used, now."""
        await ask(self._database, sql.NOTE_KEY_USES, self._now(), list(keys))

    async def expire(self) -> int:
        """End what is over: no number is kept longer than its verification, and no money for what was not sent."""
        return int(await self._pool.fetchval(sql.EXPIRE, self._now(), ENDED_AT_ONCE))

    async def backlog(self, tags: Sequence[bytes] | None = None) -> Backlog:
        """Return for how long what could be claimed has waited: that sealed under the keys of these tags, or any."""
        return Backlog(*_one(await self._pool.fetchrow(sql.BACKLOG, self._now(), tags)))

    async def keep_event(self, event_id: str, event_type: str, delivery: str, provider_id: str) -> None:
        """Keep what a webhook told, once."""
        await self._row(sql.KEEP_EVENT, event_id, event_type, delivery, provider_id)

    async def apply_events(self) -> int:
        """Apply the events that are due to their sends; returns how many were applied."""
        total = 0
        while True:
            row = _one(await self._row(sql.APPLY_EVENTS, EVENTS_KEPT, EVENTS_AT_ONCE, MOST_UNKNOWN))
            telemetry.WEBHOOKS.labels("unknown").inc(row["unknown"])
            telemetry.WEBHOOKS.labels("dropped").inc(row["dropped"])
            total += int(row["applied"])
            if row["looked"] < EVENTS_AT_ONCE:
                return total


def _place(row: asyncpg.Record) -> int:
    return int(row[0])


def _one(row: asyncpg.Record | None) -> asyncpg.Record:
    if row is None:
        message = "a statement that always answers one row answered none"
        raise RuntimeError(message)
    return row
