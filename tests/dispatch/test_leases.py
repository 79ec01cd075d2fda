"""Leases: one holder at a time, and nothing that happens meanwhile is missed."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from service.db.engine import Database
from service.verification.states import GRACE, LEASE
from service.verification.storage.store import NumberBusy
from tests.support.leasing import Queue, open_queue


@pytest.fixture
async def queue(database: Database) -> Queue:
    return await open_queue(database)


async def test_a_row_is_nobody_elses_until_the_lease_and_its_grace_are_over(queue: Queue) -> None:
    row = await queue.admit(token=uuid4())
    queue.wait(LEASE + GRACE - 0.001)
    assert await queue.other.claim(10) == []
    queue.wait(0.001)
    claimed = await queue.claim(queue.other)
    assert (claimed.id, claimed.sends[0].state) == (row, "begun")


async def test_a_process_that_lost_the_lease_changes_nothing(queue: Queue) -> None:
    lost = uuid4()
    row = await queue.admit(token=lost)
    queue.wait(LEASE + GRACE)
    held = await queue.claim(queue.other)
    before = await queue.row(row)
    assert not await queue.record(row, lost, provider_id=str(uuid4()))
    await queue.store.rest(row, lost, queue.now)
    held_before = await queue.states(row)
    held.token, token = lost, held.token
    assert not await queue.begin(held)
    assert (await queue.row(row), await queue.states(row)) == (before, held_before)
    assert await queue.record(row, token, "in_doubt")
    assert await queue.states(row) == [("sms", "in_doubt")]


async def test_an_end_is_recorded_once(queue: Queue) -> None:
    token = uuid4()
    row = await queue.admit(token=token)
    assert await queue.record(row, token, provider_id="one")
    assert not await queue.record(row, token, provider_id="two")
    assert await queue.pool.fetchval("select provider_id from sends") == "one"


async def test_processes_that_claim_at_once_share_the_rows_without_overlap(queue: Queue) -> None:
    rows = {await queue.admit() for _ in range(60)}
    taken = await asyncio.gather(*(store.claim(7) for _ in range(5) for store in (queue.store, queue.other)))
    claimed = [row.id for some in taken for row in some]
    assert len(claimed) == len(set(claimed)) == 60
    assert set(claimed) == rows


async def test_one_send_to_a_number_is_under_way_at_a_time(queue: Queue) -> None:
    phone, token = uuid4(), uuid4()
    first = await queue.admit(token=token, phone=phone)
    await queue.admit(phone=phone)
    second = await queue.claim()
    with pytest.raises(NumberBusy):
        await queue.begin(second)
    await queue.record(first, token)
    assert await queue.begin(second)


@pytest.mark.parametrize("ending", ["record", "rest"])
async def test_a_fallback_while_the_row_is_held_is_acted_on_as_soon_as_it_is_given_back(
    queue: Queue, ending: str
) -> None:
    token = uuid4()
    row = await queue.admit(token=token)
    await queue.record(row, token, next_in=30.0)
    queue.wait(30.0)
    held = await queue.claim()
    assert await queue.use_fallback(row) == "used"
    if ending == "record":
        await queue.record(row, held.token)
    else:
        await queue.store.rest(row, held.token, held.expires_at)
    again = await queue.claim()
    assert [(send.channel, send.state) for send in again.sends] == [("sms", "sent"), ("call", "due")]


async def test_a_failed_delivery_that_is_told_while_the_row_is_held_is_acted_on_as_soon_as_it_is_given_back(
    queue: Queue,
) -> None:
    token = uuid4()
    row = await queue.admit(token=token)
    await queue.record(row, token, provider_id="one", next_in=30.0)
    queue.wait(30.0)
    held = await queue.claim()
    await queue.store.keep_event("telnyx", "event", "failed", "one")
    assert await queue.store.apply_events() == 1
    await queue.store.rest(row, held.token, held.expires_at)
    assert (await queue.claim()).sends[0].delivery == "failed"


async def test_a_claim_sees_the_fallback_that_made_its_row_due(queue: Queue) -> None:
    token = uuid4()
    row = await queue.admit(token=token)
    await queue.record(row, token, next_in=60.0)
    queue.wait(30.0)
    assert await queue.use_fallback(row) == "used"
    assert [send.channel for send in (await queue.claim()).sends] == ["sms", "call"]


async def test_nothing_is_begun_for_a_verification_that_has_ended(queue: Queue) -> None:
    canceled, expired = await queue.admit(), await queue.admit()
    held = {row.id: row for row in await queue.store.claim(10)}
    assert await queue.cancel(canceled)
    assert not await queue.begin(held[canceled])
    queue.wait(300)
    assert not await queue.begin(held[expired])


@pytest.mark.parametrize("held", [True, False])
async def test_what_still_waits_when_a_verification_ends_is_given_up(queue: Queue, *, held: bool) -> None:
    token = uuid4()
    row = await queue.admit(token=token if held else None)
    assert await queue.cancel(row)
    if held:
        await queue.record(row, token, "due", wait=5.0)
    await queue.store.expire()
    assert await queue.states(row) == [("sms", "abandoned")]
    assert (await queue.row(row))["next_action_at"] is None


async def test_a_verification_that_expires_while_its_process_is_dead_ends_and_frees_its_number(queue: Queue) -> None:
    phone = uuid4()
    row = await queue.admit(token=uuid4(), phone=phone)
    queue.wait(300)
    assert await queue.other.claim(10) == []
    assert await queue.other.expire() == 1
    found = await queue.row(row)
    assert (found["status"], found["sealed"], found["next_action_at"]) == ("expired", None, None)
    assert await queue.states(row) == [("sms", "in_doubt")]
    await queue.admit(token=uuid4(), phone=phone)
