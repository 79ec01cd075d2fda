"""An id is its provider's own, and whether a send was real is told by a flag: a second provider is an adapter."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from alembic import command

from service.db.engine import Database
from service.db.faults import ConstraintViolated
from service.db.schema import migrate
from tests.support.dispatching import ended
from tests.support.gateway import OTHER_PHONE, run_gateway
from tests.support.leasing import Queue, open_queue

REAL = "select is_real(s) from sends s where verification_id = $1"
DELIVERIES = "select provider, delivery from sends order by provider"
KEPT_BEFORE = """
insert into webhook_events (event_id, event_type, delivery, provider_id) values ('1', 'verify.told', 'delivered', 'one')
"""
FORGET = """
select busy
from forget_v3(p_now => null, p_phone => $1, p_ids => '{}', p_subjects => '{}', p_marks => '{}', p_most => 9)
"""


@pytest.fixture
async def queue(database: Database) -> Queue:
    return await open_queue(database)


async def send(queue: Queue, provider: str, provider_id: str = "one") -> UUID:
    """Have a provider take a send under this id; return its number's hash."""
    token, phone = uuid4(), uuid4()
    row = await queue.admit(token, phone)
    assert await queue.record(row, token, provider=provider, provider_id=provider_id, delivery="sent")
    return phone


async def test_two_providers_may_give_the_same_id_and_one_may_not(queue: Queue) -> None:
    await send(queue, "telnyx")
    await send(queue, "other")
    with pytest.raises(ConstraintViolated):
        await send(queue, "other")


async def test_an_event_is_applied_to_the_send_of_the_provider_that_tells_it(queue: Queue) -> None:
    await send(queue, "telnyx")
    await send(queue, "other")
    await queue.store.keep_event("other", "event", "delivered", "one")
    assert await queue.store.apply_events() == 1
    assert [tuple(row) for row in await queue.pool.fetch(DELIVERIES)] == [("other", "delivered"), ("telnyx", "sent")]


async def test_an_event_of_a_provider_that_has_no_such_send_waits_and_the_same_of_two_is_two(queue: Queue) -> None:
    await send(queue, "telnyx")
    for provider in ("other", "telnyx", "telnyx"):
        await queue.store.keep_event(provider, "event", "delivered", "one")
    assert await queue.store.apply_events() == 1
    await send(queue, "other")
    assert await queue.store.apply_events() == 1
    assert [row["delivery"] for row in await queue.pool.fetch(DELIVERIES)] == ["delivered", "delivered"]


async def test_a_send_is_held_at_its_own_provider(queue: Queue) -> None:
    await send(queue, "other")
    assert await queue.store.held("other", ["one", "two"]) == {"one"}
    assert await queue.store.held("telnyx", ["one", "two"]) == set()


async def test_forgetting_a_number_deletes_no_event_of_another_provider(queue: Queue) -> None:
    phone = await send(queue, "other")
    for provider in ("other", "telnyx"):
        await queue.store.keep_event(provider, "event", "sent", "one")
    await queue.pool.fetch(FORGET, phone)
    assert [row[0] for row in await queue.pool.fetch("select provider from webhook_events")] == ["telnyx"]


async def test_what_stood_before_there_was_more_than_one_is_of_the_one_that_there_was(
    queue: Queue, database_url: str
) -> None:
    row = await queue.admit(uuid4())
    await asyncio.to_thread(command.downgrade, migrate.configure(database_url), "0003")
    recorded = "update sends set state = 'sent', provider = 'telnyx', provider_id = 'one' where verification_id = $1"
    await queue.pool.execute(recorded, row)
    kept = (
        "insert into webhook_events (event_id, event_type, delivery, provider_id) values ('1', '2', 'delivered', 'one')"
    )
    await queue.pool.execute(kept)
    await asyncio.to_thread(migrate.upgrade, database_url)
    queue.now = datetime.now(UTC) + timedelta(seconds=1)
    assert await queue.store.apply_events() == 1
    assert await queue.pool.fetchval(REAL, row)


async def test_a_send_says_whether_it_was_real(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        [sent] = await ended(gateway, await gateway.begin())
        [decoy] = await ended(gateway, await gateway.begin(OTHER_PHONE, deliver=False))
        assert (sent["real"], decoy["real"]) == (True, False)


@pytest.mark.parametrize(
    ("provider", "real", "told"),
    [
        ("other", True, True), ("telnyx", None, True), ("other", False, False), ("silent", None, False),
        ("rehearsal", None, False), (None, None, False),
    ],
    ids=["another", "recorded before", "a stand-in", "a decoy before", "a test before", "none"],
)  # fmt: skip
async def test_it_is_told_by_the_flag_and_where_there_is_none_by_what_it_was_before(
    queue: Queue, *, provider: str | None, real: bool | None, told: bool
) -> None:
    token = uuid4()
    row = await queue.admit(token)
    await queue.record(row, token, provider=provider, real=real)
    assert await queue.pool.fetchval(REAL, row) is told
