"""Events about sends that are not ours cost little, are bounded, and hold up none of ours."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import msgspec
import pytest

from service.db.engine import Database
from service.providers.verify.protocol import Delivery
from service.verification.storage.store import EVENTS_AT_ONCE, EVENTS_KEPT, Store
from tests.support.admission import over
from tests.support.alarms import open_channel
from tests.support.fraud import run_guarded
from tests.support.gateway import read_code, run_gateway
from tests.support.leasing import Queue, open_queue
from tests.support.telnyx_calls import deliver, write_event
from tests.support.waiting import until

UNKNOWN = "select provider_id from webhook_events where applied_at is null order by id"
# What strangers had stored before there was a bound: rows of the time before, at which nobody has to look.
FLOOD = """
insert into webhook_events (event_id, event_type, delivery, provider_id, received_at, look_at)
select 'flood' || n, 'verify.sent', 'sent', 'nobody' || n, coalesce($1, clock_timestamp()), null
from generate_series(1, $2::int) as n
"""
LOOK_AGAIN = 30.0


@pytest.fixture
async def queue(database: Database) -> Queue:
    """Answer a queue in virtual time."""
    return await open_queue(database)


async def tell(queue: Queue, provider_id: str, delivery: Delivery = "delivered") -> None:
    await queue.store.keep_event("telnyx", str(uuid4()), delivery, provider_id)


async def record(queue: Queue, provider_id: str) -> None:
    """Make a verification whose send the provider took under this id."""
    token = uuid4()
    assert await queue.record(await queue.admit(token), token, provider_id=provider_id, delivery="sent")


async def look(queue: Queue) -> tuple[int, ...]:
    """Look once at what is due: how many were looked at, applied, unknown, dropped."""
    return msgspec.structs.astuple(await queue.store.apply_some_events())


async def delivery_of(queue: Queue, provider_id: str) -> str | None:
    found: str | None = await queue.pool.fetchval("select delivery from sends where provider_id = $1", provider_id)
    return found


async def test_an_unknown_id_is_looked_for_twice_and_then_not_before_it_is_recorded(queue: Queue) -> None:
    await tell(queue, "early")
    assert [await look(queue), await look(queue)] == [(1, 0, 1, 0), (0, 0, 0, 0)]
    queue.wait(LOOK_AGAIN)
    assert [await look(queue), await look(queue)] == [(1, 0, 1, 0), (0, 0, 0, 0)]
    queue.wait(EVENTS_KEPT - LOOK_AGAIN - 1)
    assert await look(queue) == (0, 0, 0, 0)
    await record(queue, "early")
    assert await look(queue) == (1, 1, 0, 0)
    assert await delivery_of(queue, "early") == "delivered"
    assert await look(queue) == (0, 0, 0, 0)


async def test_an_event_that_is_looked_at_while_its_send_is_being_recorded_is_found_by_the_second_look(
    queue: Queue, database: Database
) -> None:
    token = uuid4()
    row = await queue.admit(token)
    async with database.pool.acquire() as connection, connection.transaction():
        recording = await open_again(queue, over(connection))
        assert await recording.record(row, token, provider_id="provider", delivery="sent")
        await tell(queue, "provider")
        assert await look(queue) == (1, 0, 1, 0), "nobody sees yet what is being recorded"
    queue.wait(LOOK_AGAIN)
    assert await look(queue) == (1, 1, 0, 0)
    assert await delivery_of(queue, "provider") == "delivered"


async def open_again(queue: Queue, database: Database) -> Queue:
    """Open the same queue on another database."""
    other = Queue(database, queue.key, queue.client)
    other.now = queue.now
    return other


async def test_recording_a_send_does_not_wait_for_an_event_that_somebody_has_locked(
    queue: Queue, database: Database
) -> None:
    await tell(queue, "provider")
    async with database.pool.acquire() as other, other.transaction():
        await other.execute("select from webhook_events for update")
        await record(queue, "provider")
        assert await look(queue) == (0, 0, 0, 0)
    assert await look(queue) == (1, 1, 0, 0)


async def test_of_what_waits_for_a_send_the_newest_are_kept_and_all_that_is_ours(
    queue: Queue, database: Database
) -> None:
    queue.store = Store(database, queue.policies, lambda: queue.now, max_unknown=10)
    await record(queue, "ours")
    for number in range(25):
        await tell(queue, f"nobody{number}")
        if number == 3:
            await tell(queue, "ours")
        if number == 20:
            await tell(queue, "early")
        assert await queue.store.apply_events() == (number == 3)
        assert len(await queue.pool.fetch(UNKNOWN)) <= 10
    expected = [f"nobody{number}" for number in (16, 17, 18, 19, 20)] + ["early"] + ["nobody21", "nobody22"]
    assert [row[0] for row in await queue.pool.fetch(UNKNOWN)] == [*expected, "nobody23", "nobody24"]
    await record(queue, "early")
    assert await queue.store.apply_events() == 1
    assert [await delivery_of(queue, one) for one in ("ours", "early")] == ["delivered", "delivered"]


async def test_more_than_one_statement_looks_at_are_all_looked_at_in_one_round(queue: Queue) -> None:
    await queue.pool.execute(FLOOD, queue.now, 2 * EVENTS_AT_ONCE + 1)
    await queue.pool.execute("update webhook_events set look_at = received_at")
    await record(queue, "ours")
    await tell(queue, "ours")
    assert await queue.store.apply_events() == 1
    assert await look(queue) == (0, 0, 0, 0)


async def test_any_number_of_unknown_events_is_passed_over_by_an_index(queue: Queue, database: Database) -> None:
    await queue.pool.execute(FLOOD, queue.now, 20_000)
    await record(queue, "ours")
    await tell(queue, "ours")
    async with database.pool.acquire() as connection:
        # What its own statements read of the table, not what a busy machine takes for it.
        read = "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = $1"
        async with connection.transaction():
            before = await connection.fetchval(read, "webhook_events")
            assert await look(await open_again(queue, over(connection))) == (1, 1, 0, 0)
            assert await connection.fetchval(read, "webhook_events") - before < 50


async def test_over_http_they_are_answered_200_counted_and_in_the_way_of_no_delivery(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        await gateway.database.pool.execute(FLOOD, None, 50_000)
        verification = await gateway.begin()
        await read_code(gateway)
        [sent] = gateway.telnyx.verifications.list_by_phone("+13125550142")
        answers = await asyncio.gather(*(deliver(gateway, write_event(f"nobody-{n}")) for n in range(20)))
        assert {answer.status for answer in answers} == {200}
        assert (await deliver(gateway, write_event(sent.id))).status == 200
        told = "select delivery from sends where verification_id = $1"
        await until(
            lambda: gateway.database.pool.fetchval(f"select ({told}) = 'delivered'", verification), "it is applied"
        )
        operator = await gateway.client("ops", scope="operator")

        async def is_counted() -> bool:
            metrics = (await operator.call("GET", "/metrics")).body.decode()
            counts = [line.split()[1] for line in metrics.splitlines() if 'webhooks_total{outcome="unknown"}' in line]
            return bool(counts) and float(counts[0]) >= 20

        await until(is_counted, "they are counted")


async def test_so_many_that_some_will_be_dropped_ring(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url, WEBHOOK_MAX_UNKNOWN="10") as gateway,
    ):
        for n in range(12):
            assert (await deliver(gateway, write_event(f"nobody-{n}"))).status == 200
        [text] = await channel.wait_for(1)
        assert "webhooks within 15 minutes told of verifications that are not ours" in text
