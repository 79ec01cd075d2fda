"""Throw away what is no longer needed: old verifications, keys of requests, events, spent counters.

Called by worker.loop and by `verify-gateway purge`. In small batches, so that no row is locked for long.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from service.db.engine import Database
from service.fraud.policy import Policies
from service.verification.windows import longest

BATCH = 1000
DAY = timedelta(days=1)
VERIFICATIONS_KEPT = 30 * DAY

OLD_VERIFICATIONS = """
with old as (
    delete from verifications where id in (
        select id from verifications where id < $1 and next_action_at is null order by id limit $2
    ) returning id
), sends_gone as (delete from sends where verification_id in (select id from old)),
   guesses_gone as (delete from guesses where verification_id in (select id from old))
select count(*) from old
"""
OLD_KEYS = """
with gone as (delete from idempotency_keys where idem in (
    select idem from idempotency_keys where created_at < $1 limit $2) returning 1)
select count(*) from gone
"""
OLD_GUESS_KEYS = """
with gone as (update guesses set idem = null where id in (
    select id from guesses where idem is not null and counted_at < $1 limit $2) returning 1)
select count(*) from gone
"""
# Events are numbered as they come: the first ones are the oldest.
OLD_EVENTS = """
with first as (select id, received_at from webhook_events order by id limit $2),
     gone as (delete from webhook_events where id in (select id from first where received_at < $1) returning 1)
select count(*) from gone
"""
# Walked by key, a page at a time: `hits` has no index, so that counting a hit touches none.
# A counter that somebody is counting in is left alone: waiting for it while we hold others could deadlock.
# One without hits is what a guess left that was given back.
SPENT_COUNTERS = """
with page as (select subject, hits[1] < $1 is not false as spent from counters where subject > $3
              order by subject limit $2),
     spent as (select c.subject from counters c join page p on p.subject = c.subject
               where p.spent and c.hits[1] < $1 is not false for update of c skip locked),
     gone as (delete from counters where subject in (select subject from spent) returning 1)
select (select count(*) from gone) as gone, (select max(subject::text)::uuid from page) as last
"""


class Retention:
    """One database's retention, by the windows of the policies in force."""

    def __init__(
        self, database: Database, policies: Policies, now: Callable[[], datetime | None] = lambda: None
    ) -> None:
        """Counters are kept as long as the longest window looks back. `now`: as in Store."""
        self._pool = database.pool
        self._now = now
        self._window = timedelta(seconds=longest(policies))

    async def purge(self) -> dict[str, int]:
        """Delete what is over. Returns how many rows of each kind."""
        now = self._now() or await self._pool.fetchval("select clock_timestamp()")
        return {
            "verifications": await self._all(OLD_VERIFICATIONS, first_id(now - VERIFICATIONS_KEPT)),
            "idempotency_keys": await self._all(OLD_KEYS, now - DAY) + await self._all(OLD_GUESS_KEYS, now - DAY),
            "webhook_events": await self._all(OLD_EVENTS, now - DAY),
            "counters": await self._walk_counters(now - self._window),
        }

    async def _all(self, statement: str, before: object) -> int:
        total = 0
        while gone := await self._pool.fetchval(statement, before, BATCH):
            total += gone
        return total

    async def _walk_counters(self, before: datetime) -> int:
        total, last = 0, UUID(int=0)
        while (row := await self._page(before, last))["last"] is not None:
            total, last = total + row["gone"], row["last"]
        return total

    async def _page(self, before: datetime, last: UUID) -> asyncpg.Record:
        [row] = await self._pool.fetch(SPENT_COUNTERS, before, BATCH, last)
        return row


def first_id(moment: datetime) -> UUID:
    """Return the smallest id (UUIDv7) made at a moment: ids sort by time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
