"""Throw away what is no longer needed: old verifications, keys, events, spent counters, histories, blocks, audits.

Called by worker.loop and by `verify-gateway purge`. In small batches, so that no row is locked for long.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from service.db.engine import Database
from service.fraud.policy import Policies
from service.vault import first_id
from service.verification.windows import longest

BATCH = 1000
DAY = timedelta(days=1)
VERIFICATIONS_KEPT = 30 * DAY
BLOCKS_KEPT = 30 * DAY
HISTORIES_KEPT = 60 * DAY
AUDITS_KEPT = 365 * DAY
# Histories are many and go slowly: a process looks through them this often.
HISTORIES_EVERY = DAY / 4

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
with gone as (update guesses set idem = null, body = null where id in (
    select id from guesses where idem is not null and counted_at < $1 limit $2) returning 1)
select count(*) from gone
"""
# Events are numbered as they come: the first ones are the oldest.
OLD_EVENTS = """
with first as (select id, received_at from webhook_events order by id limit $2),
     gone as (delete from webhook_events where id in (select id from first where received_at < $1) returning 1)
select count(*) from gone
"""
OLD_DEVICE_EVENTS = """
with gone as (delete from device_events where event in (
    select event from device_events where first_used_at < $1 limit $2) returning 1)
select count(*) from gone
"""
ENDED_BLOCKS = """
with gone as (delete from blocks where id in (
    select id from blocks where least(until, lifted_at) < $1 order by id limit $2) returning 1)
select count(*) from gone
"""
OLD_LOOKUPS = """
with gone as (delete from lookups where phone_hash in (
    select phone_hash from lookups where until < $1 order by until limit $2) returning 1)
select count(*) from gone
"""
ENDED_SOURCES = """
with gone as (delete from known_sources where source in (
    select source from known_sources where until < $1 order by until limit $2) returning 1)
select count(*) from gone
"""
ENDED_EXEMPTIONS = """
with gone as (delete from exemptions where id in (
    select id from exemptions where until < $1 order by id limit $2) returning 1)
select count(*) from gone
"""
OLD_AUDITS = """
with first as (select id, at from audits order by id limit $2),
     gone as (delete from audits where id in (select id from first where at < $1) returning 1)
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
# As the counters: no index but the key, and nobody's history is waited for. One without times is what a send that was
# taken out again left.
OLD_HISTORIES = """
with page as (select subject, ats[1] < $1 is not false as old from histories where subject > $3
              order by subject limit $2),
     old as (select h.subject from histories h join page p on p.subject = h.subject
             where p.old and h.ats[1] < $1 is not false for update of h skip locked),
     gone as (delete from histories where subject in (select subject from old) returning 1)
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
        self._fresh = timedelta(seconds=max(policy.rules.event_stale.after for policy in policies))
        self._walked_at: datetime | None = None

    async def purge(self) -> dict[str, int]:
        """Delete what is over. Returns how many rows of each kind."""
        now = self._now() or await self._pool.fetchval("select clock_timestamp()")
        return {
            "verifications": await self._all(OLD_VERIFICATIONS, first_id(now - VERIFICATIONS_KEPT)),
            "idempotency_keys": await self._all(OLD_KEYS, now - DAY) + await self._all(OLD_GUESS_KEYS, now - DAY),
            "webhook_events": await self._all(OLD_EVENTS, now - DAY),
            "counters": await self._walk(SPENT_COUNTERS, now - self._window),
            "device_events": await self._all(OLD_DEVICE_EVENTS, now - self._fresh - DAY),
            "blocks": await self._all(ENDED_BLOCKS, now - BLOCKS_KEPT),
            "exemptions": await self._all(ENDED_EXEMPTIONS, now - BLOCKS_KEPT),
            "audits": await self._all(OLD_AUDITS, now - AUDITS_KEPT),
            "histories": await self._histories(now),
            "lookups": await self._all(OLD_LOOKUPS, now),
            "known_sources": await self._all(ENDED_SOURCES, now),
        }

    async def _histories(self, now: datetime) -> int:
        if self._walked_at is not None and now - self._walked_at < HISTORIES_EVERY:
            return 0
        self._walked_at = now
        return await self._walk(OLD_HISTORIES, now - HISTORIES_KEPT)

    async def _all(self, statement: str, before: object) -> int:
        total = 0
        while gone := await self._pool.fetchval(statement, before, BATCH):
            total += gone
        return total

    async def _walk(self, statement: str, before: datetime) -> int:
        total, last = 0, UUID(int=0)
        while (row := await self._page(statement, before, last))["last"] is not None:
            total, last = total + row["gone"], row["last"]
        return total

    async def _page(self, statement: str, before: datetime, last: UUID) -> asyncpg.Record:
        [row] = await self._pool.fetch(statement, before, BATCH, last)
        return row
