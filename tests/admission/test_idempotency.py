"""A request with an Idempotency-Key is done once, and its answer is the same for 24 hours."""

from __future__ import annotations

import asyncio
from typing import Any

from service.db.engine import Database
from service.worker.retention import Retention
from tests.support.admission import AdmissionHarness
from tests.support.gateway import ADDRESS, OTHER_PHONE, PHONE, Calls, Gateway, read_code, run_gateway
from tests.support.tcp_proxy import lay_cable

POLICY = """
[limits]
phone = ["2/1h"]
ip = ["1000/1h"]
[fallback]
after = "1s"
"""
AGE = "update idempotency_keys set created_at = created_at - interval '24 hours 1 second'"


async def ask(calls: Calls, idem: str, **fields: Any) -> tuple[int, bytes, str | None]:
    """Request, and answer the status, the very bytes, and whether it is called a replay."""
    body = {"phone_number": PHONE, "ip_address": ADDRESS} | fields
    headers = {"Authorization": f"Bearer {calls.key}", "Idempotency-Key": idem}
    async with calls.session.post(f"{calls.url}/v1/verifications", json=body, headers=headers) as response:
        return response.status, await response.read(), response.headers.get("Idempotent-Replayed")


async def count(gateway: Gateway) -> int:
    return int(await gateway.database.pool.fetchval("select count(*) from verifications"))


async def test_the_same_key_and_body_are_answered_alike_counted_once_and_sent_once(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        first = await ask(gateway, "k")
        assert (first[0], first[2]) == (202, None)
        for spelling in (PHONE, "+1 (312) 555-0142", PHONE, PHONE):
            assert await ask(gateway, "k", phone_number=spelling) == (202, first[1], "true")
        assert await count(gateway) == 1
        assert (await ask(gateway, "l"))[0] == 202
        assert (await ask(gateway, "m"))[0] == 429
        await read_code(gateway)
        assert len(gateway.telnyx.verifications.list_by_phone(PHONE)) <= 2


async def test_the_answer_stays_the_same_to_the_byte_whatever_became_of_the_verification(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        first = await ask(gateway, "k")
        await asyncio.sleep(1)
        verification = (await gateway.request(idem="k")).body["id"]
        code = await read_code(gateway)
        assert (await gateway.use_fallback(verification)).status == 202
        assert (await ask(gateway, "k"))[1] == first[1]
        assert (await gateway.verify(verification, code)).body["verified"] is True
        assert (await ask(gateway, "k"))[1] == first[1]


async def test_the_same_key_with_another_body_is_422_and_counts_nowhere(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        await ask(gateway, "k")
        for other in (
            {"phone_number": OTHER_PHONE},
            {"ip_address": "192.0.2.1"},
            {"account_id": "a"},
            {"channel": "call"},
            {"deliver": False},
            {"device_event_id": "e"},
        ):
            status, body, replayed = await ask(gateway, "k", **other)
            assert (status, replayed) == (422, None)
            assert b"idempotency-mismatch" in body
        assert await count(gateway) == 1


async def test_keys_of_two_clients_do_not_collide(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        bank = await gateway.client("bank")
        one, other = await ask(gateway, "k"), await ask(bank, "k", deliver=False)
        assert (one[0], other[0], other[2]) == (202, 202, None)
        assert await count(gateway) == 2


async def test_only_a_202_is_kept(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, url), run_gateway(url, policy=POLICY) as gateway:
        await gateway.begin()
        await cable.pull()
        assert (await ask(gateway, "k"))[0] == 503
        cable.plug()
        assert (await ask(gateway, "k", channel="call"))[::2] == (202, None)
        assert (await ask(gateway, "l"))[0] == 429
        assert (await ask(gateway, "l", phone_number=OTHER_PHONE))[::2] == (202, None)


async def test_a_day_and_a_purge_later_the_key_is_forgotten_and_not_before(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        retention = Retention(gateway.database)
        first = await ask(gateway, "k")
        await retention.purge()
        assert await ask(gateway, "k") == (202, first[1], "true")
        await gateway.database.pool.execute(AGE)
        assert (await retention.purge())["idempotency_keys"] == 1
        assert (await ask(gateway, "k", channel="call"))[::2] == (202, None)


async def test_while_the_first_is_being_answered_the_second_is_409(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        harness = AdmissionHarness(gateway.database, POLICY)
        await harness.join("shop")
        async with gateway.database.pool.acquire() as other, other.transaction():
            await other.execute("select hold_subjects(array[$1::uuid])", harness.item().phone_hash)
            first = asyncio.create_task(ask(gateway, "k"))
            while not await gateway.database.pool.fetchval("select count(*) from pg_locks where not granted"):
                await asyncio.sleep(0.01)
            second = await gateway.request(idem="k")
            assert (second.status, second.headers["retry-after"]) == (409, "1")
        assert (await first)[0] == 202


async def test_a_key_that_another_process_is_using_for_another_number_is_in_flight(database: Database) -> None:
    harness = AdmissionHarness(database, POLICY)
    await harness.join("shop")
    item = harness.item(idem="k")
    async with database.pool.acquire() as other, other.transaction():
        await other.execute("select hold_subjects(array[$1::uuid])", item.idem)
        assert (await harness.store.admit(item)).outcome == "in_flight"
    assert (await harness.store.admit(item)).outcome == "admitted"
    assert (await harness.admit(OTHER_PHONE, idem="k", body="other")).outcome == "mismatch"
