"""A connection lost at COMMIT does no harm: the same ids are tried again, and count once."""

from __future__ import annotations

import asyncio

import pytest

from service.clients.caller import Caller
from service.db.engine import Database
from service.errors import Unclear
from tests.support.admission import VAULT, AdmissionHarness, open_desk
from tests.support.gateway import PHONE, read_code, run_gateway
from tests.support.tcp_proxy import Moment, lay_cable
from tests.support.waiting import PATIENCE

MOMENTS: list[Moment] = ["before", "during", "after"]
NUMBERS = [f"+1312555{number:04}" for number in range(20)]
WAITING = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
END_WAITING = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and wait_event = 'advisory'
"""
COUNTED = "select coalesce(sum(cardinality(hits)), 0) from counters where subject = $1"


@pytest.fixture
async def callers(database: Database) -> dict[str, Caller]:
    """Make a client's key on the direct way to the database."""
    harness = AdmissionHarness(database)
    await harness.join("shop")
    return harness.callers


async def _rows(database: Database) -> int:
    return int(await database.pool.fetchval("select count(*) from verifications"))


async def _until(database: Database, question: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await database.pool.fetchval(question):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("idem", [False, True])
async def test_every_caller_of_a_cut_batch_gets_exactly_one_row(
    database: Database, database_url: str, callers: dict[str, Caller], moment: Moment, *, idem: bool
) -> None:
    async with lay_cable(database_url) as (cable, url), open_desk(url, callers) as harness:
        items = [harness.item(number, idem=number if idem else None, token=True) for number in NUMBERS]
        cable.cuts.append((items[7].phone_hash.bytes, moment))
        answers = await asyncio.gather(*map(harness.store.admit, items))
    assert cable.cuts == []
    assert [(answer.outcome, answer.id, answer.leased) for answer in answers] == [
        ("admitted", item.id, True) for item in items
    ]
    assert await _rows(database) == len(items)
    assert await database.pool.fetchval(COUNTED, items[0].ip_limit) == len(items)
    assert {await database.pool.fetchval(COUNTED, item.phone_limit) for item in items} == {1}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_key_that_was_answered_by_503_leads_to_one_row(
    database: Database, database_url: str, callers: dict[str, Caller], moment: Moment
) -> None:
    async with lay_cable(database_url) as (cable, url), open_desk(url, callers) as harness:
        first = harness.item(idem="key", token=True)
        cable.cuts += [(first.phone_hash.bytes, moment)] * 100
        with pytest.raises(Unclear):
            await harness.store.admit(first)
        cable.cuts.clear()
        answer = await harness.store.admit(harness.item(idem="key", token=True))
        assert await harness.store.owed.settle_up(PATIENCE)
    assert answer.outcome in ("admitted", "replayed")
    assert await _rows(database) == await database.pool.fetchval(COUNTED, first.phone_limit) == 1


async def test_a_killed_database_backend_costs_no_caller_a_reply(
    database: Database, callers: dict[str, Caller]
) -> None:
    harness = AdmissionHarness(database)
    harness.callers = callers
    async with database.pool.acquire() as other, other.transaction():
        item = harness.item()
        await other.execute("select hold_subjects(array[$1::uuid])", item.phone_hash)
        waiting = asyncio.create_task(harness.store.admit(item))
        await _until(database, END_WAITING)
        await _until(database, WAITING)  # it is tried again
    assert (await waiting).id == item.id
    assert await _rows(database) == 1


async def test_a_request_whose_commit_was_cut_is_answered_202_and_sent_to_once(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, url), run_gateway(url) as gateway:
        cable.cuts.append((VAULT.hash(b"phone", PHONE).bytes, "after"))
        await gateway.begin(PHONE)
        await read_code(gateway)
        assert cable.cuts == []
        assert len(gateway.telnyx.verifications.list_by_phone(PHONE)) == 1
        assert await _rows(gateway.database) == 1
