"""Deletes what is past its retention: KEPT has a line for every table that is not kept for good.

Called by worker.loop and by `verify-gateway purge`. In small batches, and never waiting for a locked row. Ages are
measured by the database's clock; no policy and no process's clock decides what is old.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from service.db.engine import Database

BATCH = 1000
# How much of a table that is walked is read at a time: half a megabyte, some thousand rows.
BLOCKS = 64

# In each statement: $1 the database's time, $2 how many rows at most, $3 where the one before stopped, or null.
# Without $3 each would first pass over all that the ones before have deleted: it is still in the index, and as long as
# anybody's transaction is older than the purge, every such row is looked up again.
# Each returns how many rows it found (fewer than $2: there are no more), how many are gone, and where it stopped.
OLD = "{since} < $1::timestamptz - interval '{age}'"
# Locked rows are skipped, and found again by a later round.
DELETE = f"""
with old as (
    select ctid, {{since}} as since from {{table}}
    where {OLD} and {{since}} >= coalesce($3::timestamptz, '-infinity')
    order by {{since}} limit $2 for update skip locked
), gone as (delete from {{table}} where ctid = any (array(select ctid from old)))
select count(*) as found, count(*) as gone, max(since)::timestamptz as last from old
"""  # noqa: S608 (ours)
# Ids are ascending: the first rows are the oldest, so their age needs no index.
FIRST = f"""
with first as (
    select ctid, id, {OLD} as old from {{table}} where id > coalesce($3::bigint, 0)
    order by id limit $2 for update skip locked
), gone as (delete from {{table}} where ctid = any (array(select ctid from first where first.old)))
select count(*) filter (where old) as found, count(*) filter (where old) as gone, max(id)::bigint as last from first
"""  # noqa: S608 (ours)
# Walked from block to block: what every send updates has no index but its key, and to go by that would read a block for
# every row. A row that is used meanwhile may move to another block, and is not old then; it is checked again once it is
# locked. A row without times is left over from a withdrawal, so it is old too.
WALK = f"""
with old as (
    select ctid from {{table}}
    where ctid >= ('(' || coalesce($3::bigint, 0) || ',0)')::tid
      and ctid < ('(' || coalesce($3::bigint, 0) + {BLOCKS} || ',0)')::tid and ({OLD}) is not false
    for update skip locked
), gone as (delete from {{table}} where ctid = any (array(select ctid from old)) returning 1)
select case when next < pg_relation_size('{{table}}') / current_setting('block_size')::int then $2::bigint else 0 end
           as found, (select count(*) from gone) as gone, next as last
from (select coalesce($3::bigint, 0) + {BLOCKS} as next) as step
"""  # noqa: S608 (ours)
# A guess outlives its Idempotency-Key: it stays as long as its verification.
GUESS_KEYS = f"""
with old as (
    select ctid, {{since}} as since from guesses
    where idem is not null and {OLD} and {{since}} >= coalesce($3::timestamptz, '-infinity')
    order by {{since}} limit $2 for update skip locked
), gone as (update guesses set idem = null, body = null where ctid = any (array(select ctid from old)))
select count(*) as found, count(*) as gone, max(since) as last from old
"""  # noqa: S608 (ours)
# With sends and guesses; if one of those is locked, the verification stays. Ids find what may be old, or was made by a
# clock far ahead, but created_at decides: a process whose clock is behind makes ids that look old. Rows are named by
# arrays, so that they are found by their keys whatever size the planner assumes a table to have.
VERIFICATIONS = f"""
with behind as (
    select id from verifications
    where id > coalesce($3::uuid, '00000000-0000-0000-0000-000000000000')
      and id < first_id($1::timestamptz - interval '{{age}}') and {OLD} and next_action_at is null
    order by id limit $2 for update skip locked
), ahead as (
    select id from verifications
    where id > greatest($3::uuid, first_id($1::timestamptz + interval '1 day')) and {OLD} and next_action_at is null
    order by id limit $2 for update skip locked
), old as (
    select array(select id from behind union all select id from ahead) as ids,
           (select count(*) from behind) as behind, (select count(*) from ahead) as ahead
), sent as (
    select verification_id, ordinal from sends where verification_id = any ((select ids from old)::uuid[])
    for update skip locked
), guessed as (
    select id from guesses where verification_id = any ((select ids from old)::uuid[]) for update skip locked
), held as (
    select verification_id from sends where verification_id = any ((select ids from old)::uuid[])
      and (verification_id, ordinal) not in (select verification_id, ordinal from sent)
    union all
    select verification_id from guesses where verification_id = any ((select ids from old)::uuid[])
      and id not in (select id from guessed)
), free as (
    select array(select unnest(ids) from old except select verification_id from held) as ids
), sends_gone as (
    delete from sends where verification_id = any ((select ids from free)::uuid[])
), guesses_gone as (
    delete from guesses where verification_id = any ((select ids from free)::uuid[])
), gone as (
    delete from verifications where id = any ((select ids from free)::uuid[]) returning 1
)
select greatest(behind, ahead) as found, (select count(*) from gone) as gone,
       -- What is ahead comes after all that is behind.
       case when behind = $2 then ids[behind] else ids[behind + ahead] end as last
from old
"""  # noqa: S608 (ours)
# One process walks, every six hours.
TURN = """
insert into rounds as r (name, at) values ($2, $1::timestamptz)
on conflict (name) do update set at = excluded.at where r.at <= $1::timestamptz - interval '6 hours'
returning true
"""


class Kept(NamedTuple):
    """How long the rows of a table are kept, counted from when, and the statement that deletes them."""

    table: str
    since: str
    age: str
    found: str = DELETE

    def statement(self) -> str:
        """Return the statement that deletes old rows."""
        return self.found.format(table=self.table, since=self.since, age=self.age)


KEPT = (
    Kept("verifications", "created_at", "30 days", VERIFICATIONS),
    Kept("idempotency_keys", "created_at", "24 hours"),
    Kept("keys of guesses", "counted_at", "24 hours", GUESS_KEYS),
    Kept("webhook_events", "received_at", "24 hours", FIRST),
    # The longest window that a policy may have, whatever this process's policy says: another's lockouts must last.
    Kept("counters", "hits[1]", "30 days", WALK),
    # A day longer than a policy may call an event fresh.
    Kept("device_events", "first_used_at", "31 days"),
    # A verdict is good for minutes; nothing that is still on its way could bring it back after this.
    Kept("captcha_verdicts", "at", "1 hour"),
    # No webhook or check of a verification comes later.
    Kept("traces", "at", "1 day"),
    Kept("blocks", "least(until, lifted_at)", "30 days"),
    Kept("exemptions", "until", "30 days"),
    Kept("review_numbers", "until", "30 days"),
    Kept("lookups", "until", "0 days"),
    Kept("known_sources", "until", "0 days"),
    # Longer than any statement can still be on its way to the server.
    # Longer than they are tried, so that what was given up can be replayed.
    Kept("callbacks", "at", "7 days"),
    Kept("withdrawals", "at", "1 day"),
    Kept("histories", "ats[1]", "60 days", WALK),
    Kept("alerts", "ended_at", "30 days"),
    Kept("traffic", "minute", "30 days"),
    # A day, the fortnight before it, and a margin for the hours of the day.
    Kept("country_hours", "hour", "17 days"),
    # A day, and the week before it: what a rule usually stops.
    Kept("rule_counts", "at", "9 days"),
    Kept("console_sessions", "until", "1 day"),
    Kept("activity", "until", "0 days"),
    Kept("refusals", "at", "7 days"),
    Kept("backtests", "began_at", "30 days"),
    Kept("audits", "at", "365 days", FIRST),
    # 400 whole days: the same day of last year can be looked up.
    Kept("ledger", "day", "401 days"),
)


class Retention:
    """One database's retention."""

    def __init__(self, database: Database, now: Callable[[], datetime | None] = lambda: None) -> None:
        """`now`: as in Store."""
        self._pool = database.pool
        self._now = now

    async def purge(self, *, whole: bool = False) -> dict[str, int | Exception]:
        """Delete what is old; return, by table, how many rows, or the error. The others are cleared all the same.

        Tables are walked if it is this process's turn, or if `whole`. Raises if the database's time cannot be read.
        """
        now: datetime = self._now() or await self._pool.fetchval("select clock_timestamp()")
        done: dict[str, int | Exception] = {}
        for kept in KEPT:
            try:
                done[kept.table] = await self.clear(kept, now, whole=whole)
            except Exception as error:  # noqa: BLE001
                # The caller's to say. Raised here, what is wrong with one table would fill all that come after it.
                done[kept.table] = error
        return done

    async def clear(self, kept: Kept, now: datetime, *, whole: bool = False) -> int:
        """Delete what is old of one table; return how many rows. Called by purge, and by benchmarks.history."""
        if kept.found is WALK and not whole and not await self._pool.fetchval(TURN, now, f"purge {kept.table}"):
            return 0
        statement, total, last = kept.statement(), 0, None
        while True:
            (page,) = await self._pool.fetch(statement, now, BATCH, last)
            total, last = total + int(page["gone"]), page["last"]
            if page["found"] < BATCH:
                return total
