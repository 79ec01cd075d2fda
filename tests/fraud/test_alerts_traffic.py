"""What the alarms count: sends that reached the provider, by the minute, and how many of them converted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from service.db.engine import Database
from service.policy import loading
from service.vault import first_id
from service.worker.alarms import WATCH
from service.worker.traffic import SPANS, Traffic, find_unusual

RULES = loading.parse("").default.alerts
NOW = datetime(2026, 3, 4, 12, 30, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

VERIFICATION = """
insert into verifications (id, client_id, phone_hash, used, status, deliver, test, created_at, expires_at, pressed_at,
                           phone_limit, source_budget, total_budget)
values ($1, 1, $1, '{sms}', $2, true, false, $3, $3, $3, $1, $1, $1)
"""
SEND = """
insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, provider)
values ($1, $2, $1, 'sms', 'request', 'sent', $3, $3, $4)
"""


async def send(
    database: Database, ago: timedelta, count: int = 1, *, read: int = 0, provider: str = "telnyx", sends: int = 1
) -> None:
    """Have codes sent some time ago, some of which were entered."""
    for number in range(count):
        row = UUID(int=first_id(NOW - ago).int + uuid4().int % 2**64)
        await database.pool.execute(VERIFICATION, row, "verified" if number < read else "expired", NOW - ago)
        for ordinal in range(1, sends + 1):
            await database.pool.execute(SEND, row, ordinal, NOW - ago, provider)


async def watch(database: Database, later: timedelta = timedelta()) -> Traffic | None:
    row = await database.pool.fetchrow(*WATCH(now=NOW + later, every=timedelta(seconds=2), **SPANS))
    return Traffic(*row) if row else None


async def test_the_sends_of_a_minute_count_and_no_decoy_or_test(database: Database) -> None:
    await send(database, timedelta(seconds=5), 4)
    await send(database, timedelta(seconds=59), 1, sends=2)
    await send(database, timedelta(seconds=61), 8)
    await send(database, timedelta(seconds=5), 3, provider="silent")
    await send(database, timedelta(seconds=5), 3, provider="rehearsal")
    found = await watch(database)
    assert found is not None
    assert found.sent == 6


async def test_one_process_looks_and_the_others_are_told_nothing(database: Database) -> None:
    assert await watch(database) is not None
    assert await watch(database) is None
    assert await watch(database, timedelta(seconds=1)) is None
    assert await watch(database, timedelta(seconds=2)) is not None


async def test_sends_count_as_converted_or_not_once_their_codes_have_expired(database: Database) -> None:
    await send(database, 30 * MINUTE, 10, read=7, sends=2)
    await send(database, 14 * MINUTE, 10, read=2)
    await send(database, 5 * MINUTE, 10)
    await send(database, 90 * MINUTE, 10)
    await watch(database, -20 * MINUTE)
    found = await watch(database)
    assert found is not None
    assert (found.hour_sent, found.hour_read) == (20, 9)


async def test_what_is_usual_is_that_of_this_time_of_day(database: Database) -> None:
    today = NOW.replace(second=0)
    for day, hours, sends in ((1, 0, 10), (2, 0, 20), (1, 3, 500), (8, 0, 900)):
        for minute in range(-30, 31):
            at = today - timedelta(days=day, hours=hours) + minute * MINUTE
            await database.pool.execute("insert into traffic (minute, sends) values ($1, $2)", at, sends)
    await send(database, 2 * MINUTE, 15)
    found = await watch(database)
    assert found is not None
    assert (found.usual, found.recent) == (15.0, 3.0)


async def test_without_a_past_nothing_is_usual(database: Database) -> None:
    found = await watch(database)
    assert found is not None
    assert found.usual is None


@pytest.mark.parametrize(
    ("traffic", "kinds"),
    [
        (Traffic(100, 20.0, 4.0, 49, 0), []),
        (Traffic(101, 20.0, 4.0, 49, 0), ["volume"]),
        (Traffic(0, 20.1, 4.0, 0, 0), ["spike"]),
        (Traffic(0, 20.1, 4.1, 0, 0), []),
        (Traffic(0, 20.0, 0.0, 0, 0), []),
        (Traffic(0, 99.0, None, 0, 0), []),
        (Traffic(0, None, 3.0, 0, 0), []),
        (Traffic(0, 0.0, None, 50, 9), ["conversion"]),
        (Traffic(0, 0.0, None, 50, 10), []),
    ],
)
def test_which_traffic_rings(traffic: Traffic, kinds: list[str]) -> None:
    assert list(find_unusual(traffic, RULES)) == kinds
