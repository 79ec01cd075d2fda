"""What a process asks the database for when nothing is to be done: little, and at a cost that does not grow."""

from __future__ import annotations

import asyncio

from service.db.engine import Database, open_database
from service.verification.storage.statements import DUE
from tests.support.gateway import run_gateway, run_process

# An idle process makes some seven statements a second, of which four ask what is due.
SECONDS, MOST_A_SECOND = 5, 11


async def count_transactions(database: Database) -> int:
    found = await database.pool.fetchval("select xact_commit from pg_stat_database where datname = current_database()")
    return int(found)


async def test_an_idle_process_asks_the_database_little(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway, run_process(gateway):
        await asyncio.sleep(2)  # what a start asks for is written down by then
        before = await count_transactions(gateway.database)
        await asyncio.sleep(SECONDS)
        assert await count_transactions(gateway.database) - before < SECONDS * MOST_A_SECOND


async def test_what_is_due_is_looked_for_by_indexes_even_when_planned_for_empty_tables(database_url: str) -> None:
    database = await open_database(database_url)
    try:
        async with database.pool.acquire() as line:
            await line.execute("set plan_cache_mode = force_generic_plan")
            await line.execute(f"prepare due(timestamptz) as {DUE}")
            plan = "\n".join(row[0] for row in await line.fetch("explain execute due(null)"))
    finally:
        await database.aclose()
    assert plan.count("ix_verifications_due") == 2
    assert "ix_guesses_unsettled" in plan
    assert "ix_webhook_events_due" in plan
    assert "Seq Scan" not in plan
