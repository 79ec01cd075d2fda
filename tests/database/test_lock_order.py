"""Calls of several processes on the same histories wait for each other in one order, and none is rolled back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

from asyncpg import Connection

from service.db.engine import Database
from service.fraud.decision import Decision
from service.fraud.facts import DeviceFacts, Facts
from service.fraud.storage.resolving import Resolution, RuleBlock
from service.fraud.storage.store import FraudStore
from service.phone import describe
from service.vault import new_id
from tests.support.admission import over
from tests.support.waiting import until

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FACTS = Facts(describe("+12125550142"), "sms", DeviceFacts("none"), {})
SUPPRESSED = Decision(allow=False, findings=[], facts=FACTS, policy_version="test")
IN_ORDER = "select array_agg(s order by uuid_hash_extended(s, 0)) from unnest($1::uuid[]) as s"
WEIGHED = """
insert into sends (
    verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at, weighed, weighed_at
) values ($1, 1, gen_random_uuid(), 'sms', 'request', 'begun', $2, $2, $2, $3, $2)
"""
WAITING = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
where d.datname = current_database() and l.locktype = 'advisory' and not l.granted
"""


async def test_a_block_and_an_entered_code_in_the_same_histories_wait_for_each_other_in_one_order(
    database: Database,
) -> None:
    first, second, third = await database.pool.fetchval(IN_ORDER, [uuid4() for _ in range(3)])

    async def weigh(*subjects: UUID) -> UUID:
        row = new_id()
        await database.pool.execute(WEIGHED, row, NOON, list(subjects))
        return row

    async def waits(many: int) -> bool:
        return bool(await database.pool.fetchval(WAITING) == many)

    stopped, entered = await weigh(first, second, third), await weigh(second, third)
    block = RuleBlock(third, "ip", "address", "ip_conversion", 60.0, 60.0)
    async with (
        database.pool.acquire() as other, database.pool.acquire() as resolving, database.pool.acquire() as crediting,
    ):  # fmt: skip
        async with other.transaction():
            await other.execute("select from holding($1)", [first])
            resolution = Resolution(id=stopped, ordinal=1, goes=False, decision=SUPPRESSED, blocks=[block])
            resolved = asyncio.create_task(store_of(resolving)._resolve([resolution]))
            await until(lambda: waits(1), "it waits for the first")
            credited = asyncio.create_task(store_of(crediting)._credit([entered]))
            # With the block's history held by the former, the latter would hold what the former needs next.
            await until(lambda: True if credited.done() else waits(2), "it was done, or waits as well")
        assert await resolved == [SUPPRESSED]
        await credited
    assert await database.pool.fetchval("select count(*) from blocks") == 1
    assert await database.pool.fetchval("select credited from sends where verification_id = $1", entered)


def store_of(connection: Connection) -> FraudStore:
    return FraudStore(over(connection), lambda: NOON, ticks=False)
