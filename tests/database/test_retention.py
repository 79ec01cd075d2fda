"""What is past its retention is deleted, what still counts is kept, and nobody waits for a purge."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from service.db.engine import Database
from service.db.schema import console_tables, fraud_tables, tables
from service.db.schema.columns import metadata
from service.errors import PolicyError
from service.policy import loading
from service.vault import first_id
from service.worker.retention import BATCH, KEPT, Retention
from tests.support.admission import NOON, WIDE, AdmissionHarness

DAY = timedelta(days=1)
STEP = timedelta(microseconds=1)
# The longest window that a policy may have.
LONGEST = 30 * DAY
COUNTER = "insert into counters (subject, hits) values ($1, $2)"
SUBJECTS = "select subject from counters order by 1"
GUESS = """
insert into guesses (id, verification_id, state, counted_at, settle_at, idem) values ($1, $2, 'wrong', $3, $3, $4)
"""
EVENT = """
insert into webhook_events (event_id, event_type, delivery, provider_id, received_at, applied_at)
values ($1, 't', 'sent', 'p', $2, $2)
"""
DECLARED = (tables, fraud_tables, console_tables)  # their import puts the tables into the metadata
# Kept for good: who the clients are, what their events carry, and what is one row for ever.
FOR_GOOD = {"clients", "api_keys", "rounds", "device_signals", "callback_endpoints", "known_keys"}
# Deleted with their verification.
WITH_ANOTHER = {"sends", "guesses"}


def _retention(harness: AdmissionHarness) -> Retention:
    return Retention(harness.database, lambda: harness.now)


async def _purge(harness: AdmissionHarness) -> dict[str, int | Exception]:
    return await _retention(harness).purge(whole=True)


async def _count(harness: AdmissionHarness, rows: list[tuple[UUID, list[datetime]]]) -> None:
    async with harness.database.pool.acquire() as connection:
        await connection.executemany(COUNTER, rows)


@pytest.fixture
async def harness(database: Database) -> AdmissionHarness:
    """Answer a harness with a client."""
    harness = AdmissionHarness(database, WIDE)
    await harness.join("shop")
    return harness


async def test_a_counter_goes_when_its_last_hit_is_out_of_every_window_and_not_before(
    harness: AdmissionHarness,
) -> None:
    item = harness.item()
    await harness.store.admit(item)
    harness.wait(LONGEST.total_seconds())
    assert (await _purge(harness))["counters"] == 0
    harness.wait(1e-6)
    assert (await _purge(harness))["counters"] == 2
    assert (await harness.admit()).outcome == "admitted"


async def test_a_purge_deletes_spent_counters_over_many_pages_and_leaves_the_others(
    harness: AdmissionHarness,
) -> None:
    spent = [(uuid4(), [NOON - 2 * LONGEST]) for _ in range(2 * BATCH)]
    empty: list[tuple[UUID, list[datetime]]] = [(uuid4(), [])]
    live = [(uuid4(), [NOON, NOON - 3 * LONGEST]) for _ in range(BATCH)]
    await _count(harness, spent + empty + live)
    assert (await _purge(harness))["counters"] == 2 * BATCH + 1
    assert {row[0] for row in await harness.database.pool.fetch(SUBJECTS)} == {subject for subject, _ in live}


async def test_a_counter_that_somebody_counts_in_is_not_waited_for_and_taken_the_next_time(
    harness: AdmissionHarness,
) -> None:
    busy, idle = uuid4(), uuid4()
    await _count(harness, [(busy, [NOON - 2 * LONGEST]), (idle, [NOON - 2 * LONGEST])])
    async with harness.database.pool.acquire() as other, other.transaction():
        await other.execute("select from counters where subject = $1 for update", busy)
        async with asyncio.timeout(1.5):
            assert (await _purge(harness))["counters"] == 1
    assert [row[0] for row in await harness.database.pool.fetch(SUBJECTS)] == [busy]
    assert (await _purge(harness))["counters"] == 1


async def test_a_counter_that_was_hit_meanwhile_stays(harness: AdmissionHarness) -> None:
    item = harness.item()
    await harness.database.pool.execute(COUNTER, item.phone_limit, [NOON - 2 * LONGEST])
    purges = [_purge(harness) for _ in range(5)]
    await asyncio.gather(harness.store.admit(item), *purges)
    hits = await harness.database.pool.fetchval("select hits from counters where subject = $1", item.phone_limit)
    assert hits[0] == NOON


async def test_a_verification_goes_after_30_days_with_its_sends_and_guesses_unless_it_is_still_due(
    harness: AdmissionHarness,
) -> None:
    pool = harness.database.pool
    gone, due, young = [harness.item(f"+1312555014{n}", token=True) for n in range(3)]
    for item, age in ((gone, 30 * DAY + STEP), (due, 31 * DAY), (young, 30 * DAY)):
        harness.now = NOON - age
        item.id = UUID(int=first_id(harness.now).int + uuid4().int % 2**64)
        await harness.store.admit(item)
        await pool.execute(GUESS, uuid4(), item.id, harness.now, None)
    await pool.execute("update verifications set next_action_at = null where id <> $1", due.id)
    harness.now = NOON + timedelta(milliseconds=1)  # an id tells no less than that
    await pool.execute("update verifications set created_at = created_at + interval '1 ms' where id = $1", young.id)
    assert (await _purge(harness))["verifications"] == 1
    assert await _verifications_of(harness) == [{due.id, young.id}] * 3


async def _verifications_of(harness: AdmissionHarness) -> list[set[UUID]]:
    """Say whose rows there are, of each table that holds something of a verification."""
    places = (("verifications", "id"), ("sends", "verification_id"), ("guesses", "verification_id"))
    return [
        {row[0] for row in await harness.database.pool.fetch(f"select {column} from {table}")}
        for table, column in places
    ]


@pytest.mark.parametrize("clock", [-400 * DAY, -31 * DAY, 31 * DAY, 400 * DAY])
async def test_a_process_whose_clock_is_wrong_by_a_month_has_its_verifications_kept_as_long_as_any(
    harness: AdmissionHarness, clock: timedelta
) -> None:
    item = harness.item(token=True)
    item.id = UUID(int=first_id(NOON + clock).int + uuid4().int % 2**64)
    await harness.store.admit(item)
    await harness.database.pool.execute("update verifications set next_action_at = null")
    assert (await _purge(harness))["verifications"] == 0
    harness.wait((30 * DAY).total_seconds())
    assert (await _purge(harness))["verifications"] == 0
    # Ids of a clock that is ahead are found when they are old too, or that far ahead that no clock can be right.
    harness.wait((timedelta(seconds=1) + (clock if clock == 31 * DAY else timedelta())).total_seconds())
    assert (await _purge(harness))["verifications"] == 1


async def test_keys_and_events_go_after_a_day_and_a_guess_without_its_key_stays(harness: AdmissionHarness) -> None:
    pool = harness.database.pool
    moments = [NOON, NOON - DAY, NOON - DAY - timedelta(microseconds=1), NOON - 9 * DAY]
    for number, moment in enumerate(moments):
        await pool.execute(GUESS, uuid4(), uuid4(), moment, uuid4())
        await pool.execute(EVENT, str(number), moment)
        harness.now = moment
        await harness.admit(f"+1312555014{number}", idem=str(number))
    harness.now = NOON
    done = await _retention(harness).purge()
    assert (done["idempotency_keys"], done["keys of guesses"], done["webhook_events"]) == (2, 2, 2)
    counts = "select (select count(*) from guesses), (select count(*) from guesses where idem is not null)"
    assert tuple(await pool.fetchrow(counts) or ()) == (4, 2)
    assert await pool.fetchval("select count(*) from idempotency_keys") == 2


async def test_without_a_clock_of_its_own_it_goes_by_the_databases(harness: AdmissionHarness) -> None:
    pool = harness.database.pool
    await pool.execute(COUNTER, uuid4(), [datetime.now(UTC) - LONGEST - DAY])
    await pool.execute(COUNTER, uuid4(), [datetime.now(UTC) - LONGEST + DAY])
    assert (await Retention(harness.database).purge())["counters"] == 1


HISTORY = """
insert into histories (subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak)
values ($1, $2, '{}', '{}', 0, 0, 0, 0, 0)
"""
BLOCK = """
insert into blocks (subject, kind, label, reason, level, began_at, until, lifted_at, set_by)
values ($1, 'ip', 'address', 'x', 0, $2, $3, $4, 'rule')
"""
ALERT = "insert into alerts (kind, text, began_at, seen_at, ended_at) values ($1, 'x', now(), now(), $2)"
LEDGER = """
insert into ledger (day, client_id, country, channel, sends, spent, stopped, saved)
values ($1, 1, 'US', 'sms', 1, 1, 0, 0)
"""
EXEMPTION = """
insert into exemptions (phone_hash, label, lifts, reason, began_at, until, set_by)
values ($1, '+1…42', '{limits}', 'x', $2, $2, 'key 1')
"""


async def test_histories_go_60_days_after_their_last_send_over_many_pages_and_the_others_stay(
    harness: AdmissionHarness,
) -> None:
    old, kept = NOON - 60 * DAY - timedelta(microseconds=1), NOON - 60 * DAY
    rows: list[tuple[UUID, list[datetime]]] = [(uuid4(), [old]) for _ in range(BATCH + 5)]
    rows += [(uuid4(), []), *(live := [(uuid4(), [kept]), (uuid4(), [NOON, old])])]
    async with harness.database.pool.acquire() as connection:
        await connection.executemany(HISTORY, rows)
    assert (await _purge(harness))["histories"] == BATCH + 6
    left = await harness.database.pool.fetch("select subject from histories")
    assert {row[0] for row in left} == {subject for subject, _ in live}


@pytest.mark.parametrize("table", ["histories", "counters"])
async def test_of_all_processes_one_scans_the_large_tables_every_six_hours(
    harness: AdmissionHarness, table: str
) -> None:
    one, other = _retention(harness), _retention(harness)
    found: list[list[int | Exception]] = []
    for pause in (timedelta(), timedelta(hours=6) - STEP, STEP):
        harness.wait(pause.total_seconds())
        await harness.database.pool.execute(HISTORY, uuid4(), [NOON - 90 * DAY])
        await harness.database.pool.execute(COUNTER, uuid4(), [NOON - 90 * DAY])
        found.append([done[table] for done in await asyncio.gather(one.purge(), other.purge())])
    assert [sorted(map(str, pair)) for pair in found] == [["0", "1"], ["0", "0"], ["0", "2"]]
    await harness.database.pool.execute(HISTORY, uuid4(), [NOON - 90 * DAY])
    await harness.database.pool.execute(COUNTER, uuid4(), [NOON - 90 * DAY])
    assert (await other.purge(whole=True))[table] == 1, "the command does not wait for its turn"


async def test_a_history_that_somebody_weighs_with_is_not_waited_for(harness: AdmissionHarness) -> None:
    busy = uuid4()
    await harness.database.pool.execute(HISTORY, busy, [NOON - 90 * DAY])
    async with harness.database.pool.acquire() as other, other.transaction():
        await other.execute("select from histories where subject = $1 for update", busy)
        async with asyncio.timeout(1.5):
            assert (await _purge(harness))["histories"] == 0
    assert (await _purge(harness))["histories"] == 1


def _aged(age: timedelta) -> tuple[datetime, datetime]:
    """Answer a moment that is just too old, and the last that is not."""
    return NOON - age - STEP, NOON - age


async def test_each_table_keeps_what_is_as_old_as_it_says_and_nothing_older(harness: AdmissionHarness) -> None:
    pool = harness.database.pool
    await pool.execute("delete from audits")  # the making of the harness's key, years ago by its clock
    rows: dict[str, list[tuple[Any, ...]]] = {
        "insert into device_events (event, client_id, phone_hash, first_used_at) values ($1, 1, $1, $2)": [
            (uuid4(), at) for at in _aged(31 * DAY)
        ],
        BLOCK: [
            (uuid4(), NOON - 90 * DAY, until, lifted)
            for at in _aged(30 * DAY)
            for until, lifted in ((at, None), (NOON + DAY, at))
        ],
        EXEMPTION: [(uuid4(), at) for at in _aged(30 * DAY)],
        "insert into audits (at, action) values ($1, 'search')": [(at,) for at in _aged(365 * DAY)],
        "insert into lookups (phone_hash, kind, until) values ($1, 'mobile', $2)": [
            (uuid4(), at) for at in _aged(timedelta())
        ],
        "insert into captcha_verdicts (token, verdict, phone_hashes, at) values ($1, 'passed', '{}', $2)": [
            (uuid4(), at) for at in _aged(timedelta(hours=1))
        ],
        "insert into traffic (minute, sends) values ($1, 1)": [(at,) for at in _aged(30 * DAY)],
        ALERT: [*((str(at), at) for at in _aged(30 * DAY)), ("open", None)],
        LEDGER: [(NOON.date() - days * DAY,) for days in (401, 400, 0)],
    }
    for statement, values in rows.items():
        for one in values:
            await pool.execute(statement, *one)
    done = await _purge(harness)
    assert {name: gone for name, gone in done.items() if gone} == {
        "device_events": 1, "blocks": 2, "exemptions": 1, "audits": 1, "lookups": 1, "traffic": 1, "alerts": 1,
        "ledger": 1, "captcha_verdicts": 1,
    }  # fmt: skip
    assert set((await _purge(harness)).values()) == {0}


def test_every_table_is_cleared_of_what_is_old_or_kept_for_good_on_purpose() -> None:
    assert {kept.table for kept in KEPT} - {"keys of guesses"} | FOR_GOOD | WITH_ANOTHER == set(metadata.tables)


@pytest.mark.parametrize(
    "text", ['[lockout]\ncodes_per_phone = "3/31d"', '[limits]\nip = ["3/721h"]', '[rules.event_stale]\nafter = "31d"']
)
def test_no_policy_may_look_back_further_than_what_it_counts_is_kept(text: str) -> None:
    with pytest.raises(PolicyError, match="at most 30d"):
        loading.parse(text)
