"""Connections: they come back by themselves, and leave no state behind for the next statement to find."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from service.db.engine import Database, open_database, resolve
from service.errors import Unavailable, Unclear
from tests.conftest import command
from tests.support.clusters import make_home, query

SERIALIZABLE = "alter database {} set default_transaction_isolation = serializable"
ISOLATION = "show transaction_isolation"
END_CONNECTIONS = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1"


async def test_both_ways_lead_to_the_same_database(database: Database) -> None:
    async with database.engine.connect() as connection:
        name = await connection.scalar(text("select current_database()"))
    assert name == await database.pool.fetchval("select current_database()")


async def test_whenever_a_connection_is_lost_the_error_says_so_and_the_next_statement_works(
    postgres: str, database: Database
) -> None:
    name = await database.pool.fetchval("select current_database()")
    for pause in (0, 0, 0, 0.001, 0.01):
        await query(postgres, END_CONNECTIONS, name)
        await asyncio.sleep(pause)
        with contextlib.suppress(Unclear):
            await database.pool.fetchval("select 1")
        assert await database.pool.fetchval("select 1") == 1


async def test_a_statement_that_is_cut_off_says_so(postgres: str, database: Database) -> None:
    name = await database.pool.fetchval("select current_database()")
    sleeping = asyncio.create_task(database.pool.execute("select pg_sleep(1)"))
    while not await query(postgres, "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"):
        await asyncio.sleep(0.01)
    await query(postgres, END_CONNECTIONS, name)
    with pytest.raises(Unclear):
        await sleeping


async def test_cold_paths_do_not_notice_a_loss(postgres: str, database: Database) -> None:
    for _ in range(2):
        async with database.engine.connect() as connection:
            name = await connection.scalar(text("select current_database()"))
        await query(postgres, END_CONNECTIONS, name)


async def test_opening_waits_for_no_server(tmp_path: Path) -> None:
    database = await open_database(f"postgresql+asyncpg://app@/verify?host={tmp_path}")
    with pytest.raises(Unavailable, match="No such file"):
        await database.pool.fetchval("select 1")
    await database.aclose()


async def test_a_hot_statement_is_ended_by_the_server_after_two_seconds(database: Database) -> None:
    with pytest.raises(Unavailable, match="QueryCanceledError") as canceled:
        await database.pool.execute("select pg_sleep(3)")
    assert not isinstance(canceled.value, Unclear), "the server said that it was not done"
    assert await database.pool.fetchval("select 1") == 1


async def test_a_cold_statement_may_take_longer(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("show statement_timeout")) == "30s"


async def test_behind_a_pooler_nothing_is_asked_of_the_session(database_url: str) -> None:
    database = await open_database(database_url, pooler="transaction")
    assert await database.pool.fetchval("show statement_timeout") == "0"
    await database.pool.fetch("select * from clients where name = $1", "shop")
    assert await database.pool.fetch("select * from pg_prepared_statements") == []
    await database.aclose()


async def test_transactions_are_read_committed_whatever_the_database_says(postgres: str, database_url: str) -> None:
    await command(postgres, SERIALIZABLE.format(make_url(database_url).database))
    database = await open_database(database_url)
    assert await database.pool.fetchval(ISOLATION) == "read committed"
    async with database.engine.begin() as connection:
        assert await connection.scalar(text(ISOLATION)) == "read committed"
    await database.aclose()
    pooled = await open_database(database_url, pooler="transaction")
    with pytest.raises(Unavailable, match="ALTER ROLE"):
        await pooled.pool.fetchval("select 1")
    await pooled.aclose()


async def test_of_several_hosts_the_one_that_can_write_is_chosen(tmp_path: Path, database_url: str) -> None:
    places = make_url(database_url)
    host, port = places.query["host"], places.query.get("port", "5432")
    several = places.update_query_dict({"host": f"{tmp_path},{host}", "port": f"5432,{port}"})
    database = await open_database(several.render_as_string(hide_password=False))
    assert await database.pool.fetchval("select pg_is_in_recovery()") is False
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("select 1")) == 1
    await database.aclose()


async def test_an_embedded_database_is_there_for_as_long_as_it_is_open() -> None:
    with make_home() as home:
        database = await open_database(f"embedded:{home}")
        assert await database.pool.fetchval("select current_database()") == "verify"
        await database.aclose()


def test_any_other_address_is_left_as_it_is() -> None:
    assert resolve("postgresql+asyncpg://a@b/c") == ("postgresql+asyncpg://a@b/c", None)
