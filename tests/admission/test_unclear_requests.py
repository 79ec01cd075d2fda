"""A request that was answered 503 was not admitted and is never sent, whatever its statement does in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from service.db.engine import Database, open_database
from service.verification.slots import Slots
from service.verification.storage import statements as sql
from tests.support.admission import VAULT
from tests.support.dispatching import numbers, run_beside
from tests.support.gateway import PHONE, POLICY, Gateway, run_gateway
from tests.support.replication import Server
from tests.support.retrying import Caller, expect_one_send_each
from tests.support.standing import locked, run_pooler, run_server, without_standby
from tests.support.tcp_proxy import Moment, lay_cable
from tests.support.waiting import until

# What is counted is counted for a number and an address; histories and limits of sends are left out.
QUIET = POLICY + '[rules.phone_everywhere]\nmode = "off"\n'
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
LONG_AGO = "coalesce($1, clock_timestamp() - interval '20 seconds')"
STAND = 4.0


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with run_server(synchronous_commit="on") as server:
        yield server


@pytest.fixture
async def own_url(server: Server) -> AsyncIterator[str]:
    """Answer the address of a migrated database of this test's own on the server that may be stopped."""
    await server.query("create database test template verify", database="postgres")
    yield server.url("test")
    await server.query("drop database test with (force)", database="postgres")


@pytest.fixture(params=["with a slot", "without"])
def slots(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have requests begin their send at once, or leave it to be claimed by any process."""
    if request.param == "without":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Slots, "take", lambda _: False)
            yield
    else:
        yield


async def _warm(gateway: Gateway, callers: list[Caller]) -> None:
    """Have connections and the key known, so that what comes next meets the database at once."""
    first = Caller(gateway, PHONE)
    await first.insist()
    callers.append(first)


async def _ask_meanwhile(gateway: Gateway, callers: list[Caller], seconds: float) -> list[asyncio.Task[str]]:
    """Make a new request every now and then, for as long as it lasts."""
    tasks = []
    for phone in numbers(6):
        callers.append(Caller(gateway, phone))
        tasks.append(asyncio.create_task(callers[-1].insist()))
        await asyncio.sleep(seconds / 6)
    return tasks


async def test_a_database_that_stands_still_gets_nobody_two_codes(server: Server, own_url: str, slots: None) -> None:
    callers: list[Caller] = []
    async with run_gateway(own_url, policy=QUIET) as gateway, run_beside(gateway):
        await _warm(gateway, callers)
        server.freeze()
        try:
            tasks = await _ask_meanwhile(gateway, callers, STAND)
        finally:
            server.thaw()
        await asyncio.gather(*tasks)
        assert any(reply.status == 503 for caller in callers for reply in caller.replies)
        await expect_one_send_each(gateway, callers, gateway.database)


async def test_commits_that_wait_for_a_standby_get_nobody_two_codes(server: Server, own_url: str, slots: None) -> None:
    callers: list[Caller] = []
    async with run_gateway(own_url, policy=QUIET) as gateway, run_beside(gateway):
        await _warm(gateway, callers)
        async with without_standby(server):
            tasks = await _ask_meanwhile(gateway, callers, STAND)
        await asyncio.gather(*tasks)
        assert any(reply.status == 503 for caller in callers for reply in caller.replies)
        await expect_one_send_each(gateway, callers, gateway.database)


async def test_commits_that_wait_beyond_their_leases_get_nobody_two_codes(
    server: Server, own_url: str, slots: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They can be seen when their leases are over: whoever claims them then must leave their process its turn."""
    callers: list[Caller] = []
    async with run_gateway(own_url, policy=QUIET) as gateway, run_beside(gateway):
        await _warm(gateway, callers)
        volley = [Caller(gateway, phone, f"192.0.2.{place}") for place, phone in enumerate(numbers(3))]
        async with without_standby(server):
            monkeypatch.setattr(sql.ADMIT, "text", sql.ADMIT.text.replace("p_now => $1", f"p_now => {LONG_AGO}"))
            assert [reply.status for reply in await asyncio.gather(*(one.ask() for one in volley))] == [503] * 3
            monkeypatch.undo()
        await asyncio.gather(*(one.insist() for one in volley))
        await expect_one_send_each(gateway, [*callers, *volley], gateway.database)


@pytest.mark.parametrize("pooled", [False, True])
async def test_a_table_that_somebody_locks_gets_nobody_two_codes(
    database_url: str, database: Database, *, pooled: bool
) -> None:
    callers: list[Caller] = []
    async with (
        run_pooler(database_url) as near,
        run_gateway(
            near if pooled else database_url, DATABASE_POOLER="transaction" if pooled else "none", policy=QUIET
        ) as gateway,
    ):
        await _warm(gateway, callers)
        async with locked(database_url, "verifications"):
            tasks = await _ask_meanwhile(gateway, callers, STAND)
        await asyncio.gather(*tasks)
        assert any(reply.status == 503 for caller in callers for reply in caller.replies)
        await expect_one_send_each(gateway, callers, database)


async def test_behind_a_pooler_an_abandoned_statement_does_not_go_on_waiting_in_the_server(
    database_url: str, database: Database
) -> None:
    async with run_pooler(database_url) as near:
        pooled = await open_database(near, pooler="transaction")
        async with locked(database_url, "verifications"):
            stuck = asyncio.create_task(pooled.pool.fetch("select * from verifications"))

            async def waits() -> bool:
                return bool(await database.pool.fetchval(WAITING))

            await until(waits, "it waits in the server")
            stuck.cancel()

            async def is_over() -> bool:
                return not await waits()

            await until(is_over, "it was canceled there too")
        await pooled.aclose()


@pytest.mark.parametrize("moment", ["before", "during", "after"])
async def test_a_connection_lost_at_every_commit_gets_nobody_two_codes(
    database_url: str, slots: None, moment: Moment
) -> None:
    caller: Caller
    async with lay_cable(database_url) as (cable, near), run_gateway(near, policy=QUIET) as gateway:
        caller = Caller(gateway, PHONE)
        cable.cuts += [(VAULT.hash(b"phone", PHONE).bytes, moment)] * 100
        assert (await caller.ask()).status == 503
        cable.cuts.clear()
        await caller.insist()
        await expect_one_send_each(gateway, [caller], gateway.database)
