"""What is over is thrown away, what still counts is kept, and nobody waits for the broom."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from service.db.engine import Database
from service.vault import first_id
from service.worker.retention import BATCH, Retention
from tests.support.admission import NOON, WIDE, Desk

DAY = timedelta(days=1)
# The longest window of the policy: the day for which it remembers.
COUNTER = "insert into counters (subject, hits) values ($1, $2)"
SUBJECTS = "select subject from counters order by 1"
GUESS = """
insert into guesses (id, verification_id, state, counted_at, settle_at, idem) values ($1, $2, 'wrong', $3, $3, $4)
"""
EVENT = """
insert into webhook_events (event_id, event_type, delivery, provider_id, received_at) values ($1, 't', 'sent', 'p', $2)
"""


def _retention(desk: Desk) -> Retention:
    return Retention(desk.database, desk.policies, lambda: desk.now)


async def _count(desk: Desk, rows: list[tuple[UUID, list[datetime]]]) -> None:
    async with desk.database.pool.acquire() as connection:
        await connection.executemany(COUNTER, rows)


@pytest.fixture
async def desk(database: Database) -> Desk:
    """Answer a desk with a client."""
    desk = Desk(database, WIDE)
    await desk.join("shop")
    return desk


async def test_a_counter_goes_when_its_last_hit_is_out_of_every_window_and_not_before(desk: Desk) -> None:
    item = desk.item()
    await desk.store.admit(item)
    desk.wait(DAY.total_seconds())
    assert (await _retention(desk).purge())["counters"] == 0
    desk.wait(1e-6)
    assert (await _retention(desk).purge())["counters"] == 2
    assert (await desk.admit()).outcome == "admitted"


async def test_the_walk_takes_every_spent_counter_of_many_pages_and_leaves_the_others(desk: Desk) -> None:
    spent = [(uuid4(), [NOON - 2 * DAY]) for _ in range(2 * BATCH)]
    empty: list[tuple[UUID, list[datetime]]] = [(uuid4(), [])]
    live = [(uuid4(), [NOON, NOON - 3 * DAY]) for _ in range(BATCH)]
    await _count(desk, spent + empty + live)
    assert (await _retention(desk).purge())["counters"] == 2 * BATCH + 1
    assert {row[0] for row in await desk.database.pool.fetch(SUBJECTS)} == {subject for subject, _ in live}


async def test_a_counter_that_somebody_counts_in_is_not_waited_for_and_taken_the_next_time(desk: Desk) -> None:
    busy, idle = uuid4(), uuid4()
    await _count(desk, [(busy, [NOON - 2 * DAY]), (idle, [NOON - 2 * DAY])])
    async with desk.database.pool.acquire() as other, other.transaction():
        await other.execute("select from counters where subject = $1 for update", busy)
        async with asyncio.timeout(1.5):
            assert (await _retention(desk).purge())["counters"] == 1
    assert [row[0] for row in await desk.database.pool.fetch(SUBJECTS)] == [busy]
    assert (await _retention(desk).purge())["counters"] == 1


async def test_a_counter_that_was_hit_meanwhile_stays(desk: Desk) -> None:
    item = desk.item()
    await desk.database.pool.execute(COUNTER, item.phone_limit, [NOON - 2 * DAY])
    purges = [_retention(desk).purge() for _ in range(5)]
    await asyncio.gather(desk.store.admit(item), *purges)
    hits = await desk.database.pool.fetchval("select hits from counters where subject = $1", item.phone_limit)
    assert hits[0] == NOON


async def test_a_verification_goes_after_30_days_with_its_sends_and_guesses_unless_it_is_still_due(desk: Desk) -> None:
    pool = desk.database.pool
    gone, due, young = [desk.item(f"+1312555014{n}", token=True) for n in range(3)]
    old = first_id(datetime.now(UTC) - 31 * DAY)
    gone.id, due.id = old, UUID(int=old.int + 1)
    for item in (gone, due, young):
        await desk.store.admit(item)
        await pool.execute(GUESS, uuid4(), item.id, NOON, None)
    await pool.execute("update verifications set next_action_at = null where id = $1", gone.id)
    desk.now = datetime.now(UTC)
    assert (await _retention(desk).purge())["verifications"] == 1
    for table, column in (("verifications", "id"), ("sends", "verification_id"), ("guesses", "verification_id")):
        kept = await pool.fetch(f"select {column} from {table}")  # noqa: S608 (ours)
        assert {row[0] for row in kept} == {due.id, young.id}


async def test_keys_and_events_go_after_a_day_and_a_guess_without_its_key_stays(desk: Desk) -> None:
    pool = desk.database.pool
    moments = [NOON, NOON - DAY, NOON - DAY - timedelta(microseconds=1), NOON - 9 * DAY]
    for number, moment in enumerate(moments):
        await pool.execute(GUESS, uuid4(), uuid4(), moment, uuid4())
        await pool.execute(EVENT, str(number), moment)
        desk.now = moment
        await desk.admit(f"+1312555014{number}", idem=str(number))
    desk.now = NOON
    done = await _retention(desk).purge()
    assert (done["idempotency_keys"], done["webhook_events"]) == (4, 2)
    counts = "select (select count(*) from guesses), (select count(*) from guesses where idem is not null)"
    assert tuple(await pool.fetchrow(counts) or ()) == (4, 2)
    assert await pool.fetchval("select count(*) from idempotency_keys") == 2


async def test_without_a_clock_of_its_own_it_goes_by_the_databases(desk: Desk) -> None:
    pool = desk.database.pool
    await pool.execute(COUNTER, uuid4(), [datetime.now(UTC) - 2 * DAY])
    await pool.execute(COUNTER, uuid4(), [datetime.now(UTC) - DAY / 2])
    assert (await Retention(desk.database, desk.policies).purge())["counters"] == 1


HISTORY = """
insert into histories (subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak)
values ($1, $2, '{}', '{}', 0, 0, 0, 0, 0)
"""
BLOCK = """
insert into blocks (subject, kind, label, reason, level, began_at, until, lifted_at, set_by)
values ($1, 'ip', 'address', 'x', 0, $2, $3, $4, 'rule')
"""
EXEMPTION = """
insert into exemptions (phone_hash, label, lifts, reason, began_at, until, set_by)
values ($1, '+1…42', '{limits}', 'x', $2, $2, 'key 1')
"""


async def test_histories_go_60_days_after_their_last_send_over_many_pages_and_the_others_stay(desk: Desk) -> None:
    old, kept = NOON - 60 * DAY - timedelta(microseconds=1), NOON - 60 * DAY
    rows: list[tuple[UUID, list[datetime]]] = [(uuid4(), [old]) for _ in range(BATCH + 5)]
    rows += [(uuid4(), []), *(live := [(uuid4(), [kept]), (uuid4(), [NOON, old])])]
    async with desk.database.pool.acquire() as connection:
        await connection.executemany(HISTORY, rows)
    retention = _retention(desk)
    assert (await retention.purge())["histories"] == BATCH + 6
    left = await desk.database.pool.fetch("select subject from histories")
    assert {row[0] for row in left} == {subject for subject, _ in live}
    desk.wait(3600)
    assert (await retention.purge())["histories"] == 0, "one process looks through them every six hours"
    desk.wait(6 * 3600)
    assert (await retention.purge())["histories"] == 1


async def test_a_history_that_somebody_weighs_with_is_not_waited_for(desk: Desk) -> None:
    busy = uuid4()
    await desk.database.pool.execute(HISTORY, busy, [NOON - 90 * DAY])
    async with desk.database.pool.acquire() as other, other.transaction():
        await other.execute("select from histories where subject = $1 for update", busy)
        async with asyncio.timeout(1.5):
            assert (await _retention(desk).purge())["histories"] == 0
    assert (await _retention(desk).purge())["histories"] == 1


async def test_device_events_go_a_day_after_they_are_stale_blocks_30_days_after_their_end_and_audits_in_a_year(
    desk: Desk,
) -> None:
    pool, step = desk.database.pool, timedelta(microseconds=1)
    stale = NOON - DAY - timedelta(seconds=desk.policies.default.rules.event_stale.after)
    for used in (stale, stale - step):
        event = "insert into device_events (event, client_id, phone_hash, first_used_at) values ($1, 1, $1, $2)"
        await pool.execute(event, uuid4(), used)
    ended = NOON - 30 * DAY
    for until, lifted in ((ended, None), (ended - step, None), (NOON + DAY, None), (NOON + DAY, ended - step)):
        await pool.execute(BLOCK, uuid4(), NOON - 90 * DAY, until, lifted)
    for until in (ended, ended - step):
        await pool.execute(EXEMPTION, uuid4(), until)
    for at in (NOON - 365 * DAY - step, NOON - 365 * DAY, NOON):
        await pool.execute("insert into audits (at, action) values ($1, 'search')", at)
    done = await _retention(desk).purge()
    assert (done["device_events"], done["blocks"], done["exemptions"], done["audits"]) == (1, 2, 1, 1)
