"""What a fallback does to the time of a verification, on a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from service.db.engine import Database
from tests.support.leasing import Queue, open_queue

LIFE = 300.0
AFTER = 30.0


@pytest.fixture
async def queue(database: Database) -> Queue:
    return await open_queue(database)


async def begin(queue: Queue) -> UUID:
    token = uuid4()
    row = await queue.admit(token=token)
    await queue.record(row, token)
    return row


async def life(queue: Queue, row: UUID) -> float:
    """Return how long after its making a verification expires, in seconds."""
    found = await queue.row(row)
    lasted: timedelta = found["expires_at"] - found["created_at"]
    return lasted.total_seconds()


@pytest.mark.parametrize(("at", "expires"), [(AFTER, LIFE), (180.0, LIFE), (180.5, 300.5), (299.0, 419.0)])
async def test_a_fallback_leaves_two_minutes_at_least(queue: Queue, at: float, expires: float) -> None:
    row = await begin(queue)
    queue.wait(at)
    assert await queue.use_fallback(row) == "used"
    assert await life(queue, row) == expires


async def test_no_fallback_carries_a_verification_past_its_tenth_minute(queue: Queue) -> None:
    row = await begin(queue)
    queue.wait(299)
    assert await queue.use_fallback(row) == "used"
    await queue.pool.execute("update verifications set expires_at = created_at + interval '9 minutes 50 seconds'")
    queue.wait(280)
    assert await queue.use_fallback(row) == "used"
    assert await life(queue, row) == 600
    queue.wait(21)
    assert await queue.use_fallback(row) == "closed"


async def test_the_wait_is_counted_from_the_last_fallback_to_the_moment(queue: Queue) -> None:
    row = await begin(queue)
    for _ in range(2):
        queue.wait(AFTER - 0.001)
        assert await queue.use_fallback(row) == "early"
        queue.wait(0.001)
        assert await queue.use_fallback(row) == "used"
    assert await queue.use_fallback(row) == "exhausted"


async def test_a_verification_that_is_over_takes_no_fallback_though_nobody_has_closed_it_yet(queue: Queue) -> None:
    row = await begin(queue)
    queue.wait(LIFE)
    assert await queue.use_fallback(row) == "closed"
    assert await queue.states(row) == [("sms", "sent")]


async def test_a_channel_that_was_sent_on_by_itself_is_taken_and_not_sent_again(queue: Queue) -> None:
    row = await begin(queue)
    await queue.pool.execute(
        "insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at) "
        "select verification_id, 2, phone_hash, 'call', 'refused', 'sent', wanted_at, due_at from sends"
    )
    queue.wait(AFTER)
    assert await queue.use_fallback(row) == "used"
    assert (await queue.row(row))["used"] == ["sms", "call"]
    assert await queue.states(row) == [("sms", "sent"), ("call", "sent")]
    queue.wait(AFTER)
    assert await queue.use_fallback(row) == "used"
    assert await queue.states(row) == [("sms", "sent"), ("call", "sent"), ("flashcall", "due")]
