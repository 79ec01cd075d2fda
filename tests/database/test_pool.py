"""Connections to the database: never more than allowed, none lost, and no statement ever gets another one's reply."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from service.db.pool import Pool
from service.errors import Unavailable, Unclear
from tests.support.clusters import query
from tests.support.waiting import until

WHO = "select pg_backend_pid()"
SLEEP = "select pg_sleep($1), $2::int"


def open_lines(url: str, most: int = 2, patience: float = 5.0, idle: float = 60.0) -> Pool:
    _, places = make_url(url).get_dialect()().create_connect_args(make_url(url))
    return Pool(lambda: asyncpg.connect(**places), most, patience, idle=idle)


async def test_no_more_are_opened_than_allowed_and_everybody_gets_a_turn(database_url: str) -> None:
    lines = open_lines(database_url)
    pids = await asyncio.gather(*(lines.fetchval(WHO) for _ in range(50)))
    assert len(set(pids)) == 2
    await lines.close()


async def test_a_statement_that_waits_longer_than_patience_allows_fails(database_url: str) -> None:
    lines = open_lines(database_url, most=1, patience=0.05)
    sleeping = asyncio.create_task(lines.execute(SLEEP, 0.4, 1))
    await asyncio.sleep(0.1)
    with pytest.raises(Unavailable, match="free in time"):
        await lines.fetchval(WHO)
    await sleeping
    assert await lines.fetchval(WHO)
    await lines.close()


async def test_a_refused_statement_leaves_its_connection_as_it_was(database_url: str) -> None:
    lines = open_lines(database_url, most=1)
    before = await lines.fetchval(WHO)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await lines.fetch("select 1 / 0")
    assert await lines.fetchval(WHO) == before
    await lines.close()


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.03])
async def test_after_a_statement_that_was_cut_off_nobody_gets_its_reply(database_url: str, pause: float) -> None:
    lines = open_lines(database_url, most=1)
    for number in range(5):
        cut = asyncio.create_task(lines.fetchrow(SLEEP, 0.5, -1))
        await asyncio.sleep(pause)
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
        assert await lines.fetchval("select $1::int", number) == number
    await lines.close()


async def test_a_waiter_that_gives_up_takes_no_connection_with_it(database_url: str) -> None:
    lines = open_lines(database_url, most=1)
    sleeping = asyncio.create_task(lines.execute(SLEEP, 0.1, 1))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(lines.fetchval(WHO)) for _ in range(6)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    await sleeping
    heard = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in heard] == [True, False] * 3
    await lines.close()


async def test_a_server_that_cannot_be_reached_costs_no_place(database_url: str) -> None:
    _, places = make_url(database_url).get_dialect()().create_connect_args(make_url(database_url))
    away = True

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        if away:
            raise ConnectionRefusedError
        return await asyncpg.connect(**places)

    lines = Pool(connect, 2, 5.0)
    refused = await asyncio.gather(*(lines.fetchval(WHO) for _ in range(9)), return_exceptions=True)
    assert {type(one) for one in refused} == {Unavailable}
    away = False
    assert len(set(await asyncio.gather(*(lines.fetchval(WHO) for _ in range(9))))) == 2
    await lines.close()


async def test_after_one_connection_was_lost_no_idle_one_is_trusted(database_url: str) -> None:
    lines = open_lines(database_url)
    running = asyncio.create_task(lines.fetchrow(SLEEP, 60, 1))
    idle = await lines.fetchval(WHO)
    end_sleep = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep' and datname = $1"
    name = make_url(database_url).database
    # Not on the idle line: one that has just answered is trusted.
    await until(lambda: query(database_url, end_sleep, name), "the other line is ended")
    with pytest.raises(Unclear):
        await running
    assert await lines.fetchval(WHO) != idle
    await lines.close()


async def test_a_connection_that_was_idle_for_long_is_not_trusted(database_url: str) -> None:
    for idle, trusted in ((60.0, True), (0.0, False)):
        lines = open_lines(database_url, idle=idle)
        before = await lines.fetchval(WHO)
        assert (await lines.fetchval(WHO) == before) is trusted
        await lines.close()


async def test_closing_lets_a_statement_that_runs_end(database_url: str) -> None:
    lines = open_lines(database_url)
    running = asyncio.create_task(lines.fetchrow(SLEEP, 0.2, 7))
    await asyncio.sleep(0.1)
    await lines.close()
    row = await running
    assert row
    assert row[1] == 7
    with pytest.raises(Unavailable):
        await lines.fetchval(WHO)


async def test_arrays_of_all_our_types_arrive_as_they_were_given(database_url: str) -> None:
    lines = open_lines(database_url)
    now, some, other = datetime.now(UTC), uuid4(), uuid4()
    for kind, given in {
        "text[]": ["", "{}", 'a"b\\c', "null", None],
        "bytea[]": [b"", b"\\x00\0", None],
        "uuid[]": [[some, None, other], [None, None, some]],
        "timestamptz[]": [now, None],
        "float8[]": [0.5, math.inf, None],
        "int[]": [],
        "bool[]": [True, False, None],
    }.items():
        assert await lines.fetchval(f"select $1::{kind}", given) == given, kind
    await lines.close()


async def test_the_driver_takes_only_lists_and_tuples_for_arrays(database_url: str) -> None:
    lines = open_lines(database_url)
    with pytest.raises(asyncpg.DataError):
        await lines.fetchval("select $1::int[]", {1, 2})
    await lines.close()
