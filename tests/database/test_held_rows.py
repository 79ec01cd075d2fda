"""A row that somebody's open transaction has locked holds up no other row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from service.db.engine import Database
from service.db.faults import LockNotAvailable
from tests.support.dispatching import ended, numbers, row, run_beside
from tests.support.gateway import Gateway, run_gateway
from tests.support.leasing import open_queue
from tests.support.waiting import until

OVERDUE = "update verifications set next_action_at = clock_timestamp() - interval '30 seconds'"
# Everybody would wait for this, if anybody did.
STUCK = {
    "due": OVERDUE,
    "expired": OVERDUE + ", expires_at = clock_timestamp() - interval '20 seconds'",
    "ended": OVERDUE + ", status = 'canceled', closed_at = clock_timestamp()",
}


@asynccontextmanager
async def hold(database: Database, table: str, column: str, verification: str) -> AsyncIterator[None]:
    """Hold the row of a verification in a transaction that stays open."""
    async with database.pool.acquire() as line, line.transaction():
        await line.execute(f"select from {table} where {column} = $1 for update", UUID(verification))
        yield


async def is_closed(gateway: Gateway, verification: str) -> bool:
    found = await row(gateway, verification)
    return (found["next_action_at"], found["sealed"]) == (None, None)


@pytest.mark.parametrize("state", STUCK)
async def test_a_verification_that_somebody_holds_keeps_nobody_from_being_taken(database_url: str, state: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        async with run_beside(gateway) as calls:
            held = await calls.begin()
            await ended(gateway, held)
        await gateway.database.pool.execute(STUCK[state])
        async with hold(gateway.database, "verifications", "id", held), run_beside(gateway) as calls:
            for phone in numbers(12):  # three looks of a second each
                assert (await calls.request(phone)).status == 202
                await asyncio.sleep(0.25)
            assert await gateway.database.pool.fetchval("select next_action_at < now() from verifications order by id")
        if state != "due":
            async with run_beside(gateway):
                await until(lambda: is_closed(gateway, held), "it was ended once it was let go")


async def test_only_what_could_be_claimed_counts_as_backlog(database: Database) -> None:
    queue = await open_queue(database)
    first, second = await queue.admit(), await queue.admit()
    await database.pool.execute("update verifications set next_action_at = $1", queue.now)
    queue.wait(30)
    assert (await queue.store.backlog()).waited == 30
    await database.pool.execute("update verifications set next_action_at = $2 where id = $1", second, queue.now)
    queue.wait(4)
    async with hold(database, "verifications", "id", str(first)):
        assert (await queue.store.backlog()).waited == 4
    await queue.cancel(first)
    assert (await queue.store.backlog()).waited == 4
    queue.wait(300)
    assert (await queue.store.backlog()).waited == 0


async def test_a_send_that_somebody_holds_keeps_no_other_verification_from_being_ended(database: Database) -> None:
    queue = await open_queue(database)
    held, other = await queue.admit(), await queue.admit()
    queue.wait(301)
    async with hold(database, "sends", "verification_id", str(held)):
        assert await queue.store.expire() == 1
        assert [await queue.states(one) for one in (held, other)] == [[("sms", "due")], [("sms", "abandoned")]]
    assert await queue.store.expire() == 1
    assert await queue.states(held) == [("sms", "abandoned")]


async def test_a_verification_that_somebody_holds_keeps_no_other_send_from_being_recorded(database: Database) -> None:
    """They would go in one statement with it, and each wait, fail and wait again until its lease is over."""
    queue = await open_queue(database)
    tokens = [uuid4() for _ in range(6)]
    rows = [await queue.admit(token=token) for token in tokens]
    async with hold(database, "verifications", "id", str(rows[2])):
        records = (queue.record(row, token) for row, token in zip(rows, tokens, strict=True))
        stuck = (await asyncio.gather(*records, return_exceptions=True)).pop(2)
        assert isinstance(stuck, LockNotAvailable)
    assert [(await queue.states(row))[0][1] for row in rows] == ["sent", "sent", "begun", "sent", "sent", "sent"]
    assert await queue.record(rows[2], tokens[2])
