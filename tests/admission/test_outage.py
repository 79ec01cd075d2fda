"""Without its database the gateway soon answers 503 to everybody, and recovers when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.clients.caller import Caller
from service.db import embedded
from service.db.engine import Database
from service.db.schema import migrate
from service.errors import Unavailable
from tests.support.admission import AdmissionHarness, open_desk
from tests.support.clusters import kill, make_home, query
from tests.support.gateway import OTHER_PHONE, PHONE, read_code, run_gateway
from tests.support.tcp_proxy import lay_cable
from tests.support.waiting import PATIENCE, until

END_OTHERS = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


@pytest.fixture
async def callers(database: Database) -> dict[str, Caller]:
    """Make a client's key on the direct way to the database."""
    harness = AdmissionHarness(database)
    await harness.join("shop")
    return harness.callers


async def test_when_every_connection_is_ended_at_once_no_caller_loses_a_reply(
    database: Database, database_url: str, callers: dict[str, Caller]
) -> None:
    harness = AdmissionHarness(database)
    harness.callers = callers
    for hundred in range(5):
        await asyncio.gather(*(database.pool.execute("select pg_sleep(0.02)") for _ in range(8)))
        await query(database_url, END_OTHERS)
        answers = await asyncio.gather(*(harness.admit(f"+13125550{hundred}{number:02}") for number in range(20)))
        assert {answer.outcome for answer in answers} == {"admitted"}
    assert await database.pool.fetchval("select count(*) from verifications") == 100


async def test_a_hanging_database_makes_nobody_wait_for_ever(
    database: Database, database_url: str, callers: dict[str, Caller]
) -> None:
    async with lay_cable(database_url) as (cable, url), open_desk(url, callers) as harness:
        await harness.admit()
        cable.freeze()
        many = [asyncio.create_task(harness.admit(f"+1312556{number:04}")) for number in range(1000)]
        done, hanging = await asyncio.wait(many, timeout=12)
        assert not hanging
        assert all(isinstance(task.exception(), Unavailable) for task in done)
        cable.thaw()
        assert (await harness.admit(PHONE)).outcome == "admitted"


async def test_without_a_database_callers_get_503_until_it_is_back(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, url), run_gateway(url) as gateway:
        verification = await gateway.begin(PHONE)
        await read_code(gateway)
        await cable.pull()
        replies = await asyncio.gather(
            gateway.request(OTHER_PHONE), gateway.verify(verification, "123456"), gateway.read(verification),
            gateway.use_fallback(verification), gateway.cancel(verification),
        )  # fmt: skip
        assert {reply.status for reply in replies} == {503}
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies)
        cable.plug()
        await gateway.begin(OTHER_PHONE)
        assert (await gateway.verify(verification, await read_code(gateway))).body["verified"] is True


@pytest.fixture
def server_home() -> Iterator[Path]:
    """Answer an empty directory for a server of the test's own."""
    with make_home() as home:
        yield home


async def test_a_202_outlives_the_server_and_requests_are_taken_again_when_it_is_back(server_home: Path) -> None:
    server = await asyncio.to_thread(embedded.start, server_home)
    try:
        url = await asyncio.to_thread(server.url)
        await asyncio.to_thread(migrate.upgrade, url)
        async with run_gateway(url) as gateway:
            replies = [await gateway.request(f"+1312555{number:04}") for number in range(20)]
            kill("bin/postgres -D", server_home)
            async with asyncio.timeout(PATIENCE):
                while (reply := await gateway.request(OTHER_PHONE)).status != 202:
                    replies.append(reply)
                    await asyncio.sleep(0.05)
            assert {reply.status for reply in replies[:20]} == {202}
            assert {reply.status for reply in replies[20:]} <= {503}
            assert all(reply.headers["retry-after"] for reply in replies[20:])

            async def all_read() -> bool:
                return {(await gateway.read(reply.body["id"])).status for reply in replies[:20]} == {200}

            await until(all_read, "each of them is read")
    finally:
        server.release()
