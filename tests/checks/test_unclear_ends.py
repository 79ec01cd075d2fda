"""A guess, a fallback or a cancel that was told 503 costs nothing, and the next try is the first one."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from service.db.engine import Database
from service.errors import Unavailable
from service.sandbox.faults import Fault
from service.vault import new_id
from service.verification.storage.rows import Verdict
from tests.support.admission import AdmissionHarness
from tests.support.dispatching import calls_to, ended, run_beside
from tests.support.gateway import PHONE, POLICY, run_gateway
from tests.support.guessing import begin_and_read, count_guesses_at_telnyx, read_budgets, wait_until_settled
from tests.support.tcp_proxy import Moment, lay_cable
from tests.support.waiting import PATIENCE, until

MOMENTS: list[Moment] = ["before", "during", "after"]
SOON = POLICY + '[fallback]\nafter = "1s"\n'
WAITING = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
HITS = "select coalesce(sum(cardinality(hits)), 0) from counters where subject = $1"


async def _waits(database: Database) -> bool:
    return bool(await database.pool.fetchval(WAITING))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_check_that_was_told_503_costs_no_guess(database_url: str, moment: Moment) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near) as gateway:
        verification, code = await begin_and_read(gateway)
        before = await read_budgets(gateway)
        cable.cuts += [(UUID(verification).bytes, moment)] * 100
        assert (await gateway.verify(verification, code)).status == 503
        cable.cuts.clear()
        await wait_until_settled(gateway)

        async def given_back() -> bool:
            left = (await gateway.read(verification)).body["attempts_remaining"]
            return left == 5 and await read_budgets(gateway) == before

        await until(given_back, "the budgets are what they were")
        assert count_guesses_at_telnyx(gateway) == 0
        assert (await gateway.verify(verification, code)).body["verified"] is True


async def test_a_guess_that_nobody_compared_is_given_back_though_the_answer_to_that_is_lost(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), times=1))
        cable.cuts.append((b"returned", "after"))
        assert (await gateway.verify(verification, code)).status == 503
        assert cable.cuts == []
        assert (await gateway.read(verification)).body["attempts_remaining"] == 5
        assert (await gateway.verify(verification, code)).body["verified"] is True


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_fallback_that_was_told_503_is_not_made_and_the_next_one_is(database_url: str, moment: Moment) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near, policy=SOON) as gateway:
        verification, _ = await begin_and_read(gateway)
        await asyncio.sleep(1)
        before = await gateway.read(verification)
        counted = await read_budgets(gateway)
        cable.cuts += [(UUID(verification).bytes, moment)] * 100
        assert (await gateway.use_fallback(verification)).status == 503
        cable.cuts.clear()

        async def taken_back() -> bool:
            return await read_budgets(gateway) == counted and (await gateway.read(verification)).body == before.body

        await until(taken_back, "all is as it was")
        await asyncio.sleep(0.5)
        assert len(calls_to(gateway, PHONE)) == 1
        assert (await gateway.use_fallback(verification)).body["fallback"]["channel"] == "flashcall"
        assert [send["channel"] for send in await ended(gateway, verification, 2)] == ["sms", "call"]
        assert len(calls_to(gateway, PHONE)) == 2


async def test_a_fallback_that_was_told_503_is_taken_back_though_the_next_one_comes_before_that(
    database_url: str,
) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(database_url, policy=SOON) as gateway:
        gateway.environment["DATABASE_URL"] = near
        async with run_beside(gateway) as other:
            verification, _ = await begin_and_read(gateway)
            await asyncio.sleep(1)
            counted = await read_budgets(gateway)
            cable.cuts.append((UUID(verification).bytes, "after"))
            asked = asyncio.create_task(other.use_fallback(verification))
            await until(lambda: not cable.cuts, "it is made, and the answer to it lost")
            await cable.pull()
            assert (await asked).status == 503
            assert (await gateway.read(verification)).body["fallback"]["channel"] == "flashcall"
            assert (await gateway.use_fallback(verification)).status == 503
            cable.plug()

            async def taken_back() -> bool:
                return await read_budgets(gateway) == counted

            await until(taken_back, "all is as it was")
            assert (await gateway.use_fallback(verification)).body["fallback"]["channel"] == "flashcall"
            assert [send["channel"] for send in await ended(gateway, verification, 2)] == ["sms", "call"]


async def test_a_fallback_whose_answer_was_lost_once_is_answered_and_made_once(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near, policy=SOON) as gateway:
        verification, _ = await begin_and_read(gateway)
        await asyncio.sleep(1)
        cable.cuts.append((UUID(verification).bytes, "after"))
        assert (await gateway.use_fallback(verification)).status == 202
        assert len(await ended(gateway, verification, 2)) == 2
        phone_limit = await gateway.database.pool.fetchval("select phone_limit from verifications")
        assert await gateway.database.pool.fetchval(HITS, phone_limit) == 2


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_cancel_whose_answer_was_lost_once_is_answered(database_url: str, moment: Moment) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near) as gateway:
        verification, _ = await begin_and_read(gateway)
        cable.cuts.append((UUID(verification).bytes, moment))
        reply = await gateway.cancel(verification)
        assert (reply.status, reply.body["status"]) == (200, "canceled")
        assert (await gateway.cancel(verification)).status == 409


async def test_a_compared_code_that_could_not_be_settled_at_once_is_settled_later(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.latency["check"] = 1.0
        asked = asyncio.create_task(gateway.verify(verification, code))
        await until(lambda: count_guesses_at_telnyx(gateway) == 1, "Telnyx is asked")
        await cable.pull()
        assert (await asked).status == 503
        cable.plug()

        async def verified() -> bool:
            return bool((await gateway.read(verification)).body["status"] == "verified")

        await until(verified, "it is verified without anybody's doing")


async def test_what_was_taken_back_before_it_came_is_not_admitted_when_it_comes(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    items = [harness.item(token=True), harness.item("+13125550143", token=True)]
    items[0].call = new_id()
    harness.store.owed.requests.put(items[0])
    assert await harness.store.owed.settle_up(PATIENCE)
    with pytest.raises(Unavailable):
        await harness.store._admit(items, again=False)
    assert await harness.rows("verifications") == await harness.rows("counters") == []


async def test_a_call_that_is_still_at_work_is_waited_for_before_it_is_taken_back(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    item = harness.item(token=True)
    async with database.pool.acquire() as other, other.transaction():
        await other.execute("select hold_subjects(array[$1::uuid])", item.phone_hash)
        stuck = asyncio.create_task(harness.store._admit([item], again=False))
        await until(lambda: _waits(database), "it waits for the number")
        harness.store.owed.requests.put(item)
        await asyncio.sleep(0.5)
        assert not await harness.store.owed.settle_up(0), "nobody knows yet what becomes of it"
    assert [answer.id for answer in await stuck] == [item.id]
    assert await harness.store.owed.settle_up(PATIENCE)
    assert await harness.rows("verifications") == []
    assert all(row["hits"] == [] for row in await harness.rows("counters"))


async def test_a_row_on_which_another_reply_is_based_is_not_taken_back(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    first = harness.item(token=True, idem="key")
    await harness.store.admit(first)
    again = await harness.store.admit(harness.item(token=True, idem="key"))
    assert (again.outcome, again.id) == ("replayed", first.id)
    harness.store.owed.requests.put(first)
    assert await harness.store.owed.settle_up(PATIENCE)
    [row] = await harness.rows("verifications")
    assert (row["status"], row["lease_token"]) == ("pending", None), "it is due"


async def test_a_key_whose_request_was_taken_back_is_as_new(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    first = harness.item(token=True, idem="key")
    await harness.store.admit(first)
    harness.store.owed.requests.put(first)
    assert await harness.store.owed.settle_up(PATIENCE)
    answer = await harness.store.admit(harness.item(token=True, idem="key", body="another"))
    assert answer.outcome == "admitted"
    rows: list[Any] = await harness.rows("verifications")
    assert [row["id"] for row in rows] == [answer.id]


async def test_hits_of_others_are_left_where_they_are(database: Database) -> None:
    harness = AdmissionHarness(database, now=None)
    await harness.join("shop")
    items = [harness.item(token=True) for _ in range(5)]
    for item in items:
        await harness.store.admit(item)
    [before] = await database.pool.fetch("select hits from counters where subject = $1", items[0].phone_limit)
    harness.store.owed.requests.put(items[2])
    assert await harness.store.owed.settle_up(PATIENCE)
    [after] = await database.pool.fetch("select hits from counters where subject = $1", items[0].phone_limit)
    assert after["hits"] == before["hits"][:2] + before["hits"][3:]


async def test_a_stop_gives_back_a_guess_that_was_still_being_taken_back(database: Database) -> None:
    harness = AdmissionHarness(database, now=None)
    await harness.join("shop")
    item, guess = harness.item(token=True), new_id()
    await harness.store.admit(item)
    caller = harness.callers["shop"]
    assert (await harness.store.reserve(caller, item.id, guess)).outcome == "reserved"
    async with database.pool.acquire() as other, other.transaction():
        await other.execute("select from guesses where id = $1 for update", guess)
        harness.store.owed.guesses.put((item.id, Verdict(guess, "returned", 1)))
        stopping = asyncio.create_task(harness.store.owed.settle_up(PATIENCE))
        await until(lambda: database.pool.fetchval("select exists (select from withdrawals)"), "its id is withdrawn")
        await asyncio.sleep(0.2)
        assert not stopping.done(), "the connections would be closed before it is given back"
    assert await stopping
    assert await harness.rows("guesses") == []
