"""Purging beside others: what somebody holds is passed over, and what fails is said and stops nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from service.db.engine import Database
from service.vault import first_id
from service.worker import retention
from service.worker.retention import KEPT, Retention
from tests.support.commands import run_inside
from tests.support.gateway import POLICY, read_code, run_gateway, run_process, wrong
from tests.support.waiting import until

DAY = timedelta(days=1)
LONG_AGO = datetime.now(UTC) - 800 * DAY
# One row of each table that is far too old, by the table's name.
OLD_ROWS = {
    "verifications": """
        insert into verifications (id, client_id, phone_hash, used, deliver, test, created_at, expires_at, pressed_at,
                                   phone_limit, source_budget, total_budget)
        values ($1, 1, $1, '{sms}', true, false, $2, $2, $2, $1, $1, $1)""",
    "sends": """
        insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at)
        values ($1, 1, $1, 'sms', 'request', 'sent', $2, $2)""",
    "guesses": """
        insert into guesses (id, verification_id, state, counted_at, settle_at, idem)
        values ($1, $1, 'wrong', $2, $2, $1)""",
    "traces": "insert into traces (verification_id, place, at) values ($1, 'place', $2)",
    "idempotency_keys": """
        insert into idempotency_keys (idem, body, verification_id, created_at, expires_at, remaining)
        values ($1, $1, $1, $2, $2, 5)""",
    "webhook_events": """
        insert into webhook_events (event_id, event_type, delivery, provider_id, received_at)
        values ($1::uuid::text, 't', 'sent', 'p', $2)""",
    "counters": "insert into counters (subject, hits) values ($1, array[$2::timestamptz])",
    "device_events": "insert into device_events (event, client_id, phone_hash, first_used_at) values ($1, 1, $1, $2)",
    "blocks": """
        insert into blocks (subject, kind, label, reason, level, began_at, until, set_by)
        values ($1, 'ip', 'address', 'x', 0, $2, $2, 'rule')""",
    "exemptions": """
        insert into exemptions (phone_hash, label, lifts, reason, began_at, until, set_by)
        values ($1, '+1…42', '{limits}', 'x', $2, $2, 'key 1')""",
    "lookups": "insert into lookups (phone_hash, kind, until) values ($1, 'mobile', $2)",
    "captcha_verdicts": """
        insert into captcha_verdicts (token, verdict, phone_hashes, at) values ($1, 'passed', '{}', $2)""",
    "callbacks": """
        insert into callbacks (id, client_id, verification_id, status, at, attempts)
        values ($1, 1, $1, 'verified', $2, 0)""",
    "review_numbers": """
        insert into review_numbers (client, phone_hash, code, label, reason, began_at, until, set_by)
        values ('shop', $1, $1, '+1…42', 'x', $2, $2, 'key 1')""",
    "withdrawals": "insert into withdrawals (id, at) values ($1, $2)",
    "known_sources": "insert into known_sources (source, phone_hash, until) values ($1, $1, $2)",
    "histories": """
        insert into histories (subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak)
        values ($1, array[$2::timestamptz], '{1}', '{f}', 0, 0, 0, 0, 0)""",
    "alerts": """
        insert into alerts (kind, text, began_at, seen_at, ended_at) values ($1::uuid::text, 'x', $2, $2, $2)""",
    "traffic": "insert into traffic (minute, sends) values ($2, length($1::uuid::text))",
    "rule_counts": """
        insert into rule_counts (at, client, country, rule, mode, finding, count)
        values ($2, $1::uuid::text, 'US', 'number', 'enforce', 'premium', 1)""",
    "country_hours": "insert into country_hours (country, hour, sends, converted) values ($1::uuid::text, $2, 1, 0)",
    "console_sessions": """
        insert into console_sessions (token, key_id, began_at, seen_at, until) values ($1, 1, $2, $2, $2)""",
    "activity": """
        insert into activity (span, at, client, country, channel, requests, decoys, sends, suppressed, converted,
                              limited, until)
        values ('day', $2, $1::uuid::text, 'US', 'sms', 1, 0, 1, 0, 0, 0, $2)""",
    "backtests": """
        insert into backtests (id, key_id, policy, version, began_at, seen_at, share)
        values ($1, 1, '', '', $2, $2, 0)""",
    "refusals": "insert into refusals (phone_hash, client_id, at, count) values ($1, 1, $2, 1)",
    "audits": "insert into audits (at, action, subject) values ($2, 'search', $1)",
    "ledger": """
        insert into ledger (day, client_id, country, channel, sends, spent, stopped, saved)
        values ($2::timestamptz::date, 1, $1::uuid::text, 'sms', 1, 1, 0, 0)""",
}


async def _fill(database: Database, moment: datetime = LONG_AGO) -> None:
    """Put a row into each table that nobody needs any more."""
    row = UUID(int=first_id(moment).int + uuid4().int % 2**64)
    for statement in OLD_ROWS.values():
        await database.pool.execute(statement, row, moment)


async def _left(database: Database) -> dict[str, int]:
    """Count the rows of each table that has some."""
    counts = {table: int(await database.pool.fetchval(f"select count(*) from {table}")) for table in OLD_ROWS}
    return {table: count for table, count in counts.items() if count}


@asynccontextmanager
async def _hold(database_url: str, *statements: str) -> AsyncIterator[None]:
    """Keep a transaction open that has run these, as somebody at psql might."""
    _, places = make_url(database_url).get_dialect()().create_connect_args(make_url(database_url))
    connection = await asyncpg.connect(**places)
    try:
        async with connection.transaction():
            await connection.execute(";".join(statements))
            yield
    finally:
        await connection.close()


def test_there_is_an_old_row_for_every_table_that_is_cleared() -> None:
    assert set(OLD_ROWS) == {kept.table for kept in KEPT} - {"keys of guesses"} | {"sends", "guesses"}


@pytest.mark.parametrize(
    ("held", "left"),
    [
        (set(OLD_ROWS), set(OLD_ROWS)),
        ({"sends"}, {"verifications", "sends", "guesses"}),
        ({"guesses"}, {"verifications", "sends", "guesses"}),
    ],
    ids=["all", "sends", "guesses"],
)
async def test_what_somebody_holds_is_passed_over_by_the_command_and_all_else_goes(
    database: Database, database_url: str, held: set[str], left: set[str]
) -> None:
    await _fill(database)
    async with _hold(database_url, *(f"select from {table} for update" for table in held)):
        await _fill(database, LONG_AGO + 2 * DAY)
        done = await run_inside("purge", settings={"DATABASE_URL": database_url})
        assert await _left(database) == dict.fromkeys(left, 1)
    assert (done.code, done.err) == (0, "")
    again = await run_inside("purge", settings={"DATABASE_URL": database_url})
    assert (again.code, again.err) == (0, "")
    assert await _left(database) == {}


async def test_a_table_that_cannot_be_had_is_named_and_the_others_are_cleared_all_the_same(
    database: Database, database_url: str
) -> None:
    await _fill(database)
    async with _hold(database_url, "lock table counters, verifications in access exclusive mode"):
        done = await run_inside("purge", settings={"DATABASE_URL": database_url})
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "verifications (" in done.err
    assert "counters (" in done.err
    assert "ledger (" not in done.err
    assert "ledger: 1" in done.out.splitlines()
    assert set(await _left(database)) == {"verifications", "sends", "guesses", "counters"}


async def test_without_a_policy_the_command_leaves_the_lockout_of_one_with_a_longer_window(
    database_url: str,
) -> None:
    policy = POLICY + '[lockout]\ncodes_per_phone = "5/14d"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        verification = await gateway.begin()
        code = await read_code(gateway)
        for _ in range(5):
            await gateway.verify(verification, wrong(code))
        age = "update counters set hits = array(select hit - interval '13 days' from unnest(hits) as h(hit))"
        await gateway.database.pool.execute(age)
        assert (await gateway.request()).status == 429
        assert (await run_inside("purge", settings={"DATABASE_URL": database_url})).code == 0
        assert (await gateway.request()).status == 429, "the lockout was erased"


async def test_what_fails_in_a_round_of_serve_is_logged_by_table_and_the_other_tables_are_cleared(
    database_url: str,
) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        await _fill(gateway.database)
        async with (
            _hold(database_url, "lock table ledger in access exclusive mode"),
            run_process(gateway, command="dispatch") as dispatcher,
        ):
            await until(lambda: '"event":"purge_failed"' in dispatcher.log.read_text(), "it is logged")
            [line] = [line for line in dispatcher.log.read_text().splitlines() if "purge_failed" in line]
            assert json.loads(line)["table"] == "ledger"
        # (there is traffic of these minutes, and the audit of a key that was made)
        assert set(await _left(gateway.database)) - {"traffic", "audits"} == {"ledger"}


KEYS = """
insert into idempotency_keys (idem, body, verification_id, created_at, expires_at, remaining)
select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), at, at, 5
from (select $1::timestamptz + n * interval '1 s' as at from generate_series(1, $2::int) as n) as rows
"""
EVENTS = """
insert into webhook_events (event_id, event_type, delivery, provider_id, received_at)
select n::text, 't', 'sent', 'p', $1::timestamptz + n * interval '1 s' from generate_series(1, $2::int) as n
"""
VERIFICATIONS = """
insert into verifications (id, client_id, phone_hash, used, deliver, test, created_at, expires_at, pressed_at,
                           phone_limit, source_budget, total_budget)
select first_id(at), 1, gen_random_uuid(), '{sms}', true, false, at, at, at,
       gen_random_uuid(), gen_random_uuid(), gen_random_uuid()
from (select $1::timestamptz + n * interval '1 s' as at from generate_series(1, $2::int) as n) as rows
"""
READ = """
select sum(idx_tup_read)::int from pg_stat_user_indexes
where indexrelname in ('ix_idempotency_keys_created_at', 'pk_webhook_events', 'pk_verifications')
"""


async def test_while_an_older_transaction_is_open_a_purge_does_not_look_again_at_what_it_has_deleted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, rows = 20, 400
    monkeypatch.setattr(retention, "BATCH", batch)
    for statement in (KEYS, EVENTS, VERIFICATIONS):
        await database.pool.execute(statement, LONG_AGO, rows)
    async with database.pool.acquire() as other, other.transaction(isolation="repeatable_read"):
        await other.fetchval("select count(*) from verifications")
        # The pool's next connection is the only one that is free, so the purge has it too.
        await database.pool.execute("set enable_seqscan = off; set enable_bitmapscan = off")  # as in a large table
        done = await Retention(database).purge()
        await database.pool.execute("select pg_stat_force_next_flush()")
    gone = [done[table] for table in ("idempotency_keys", "webhook_events", "verifications")]
    assert gone == [rows, rows, rows]
    # Verifications are read twice: found, and deleted. Begun from the start each time, all are read some ten times.
    assert await database.pool.fetchval(READ) < 5 * rows


COUNTERS = "insert into counters select gen_random_uuid(), array[$1::timestamptz] from generate_series(1, $2::int)"
SCANNED = """
select t.seq_tup_read::int, i.idx_scan::int from pg_stat_user_tables t join pg_stat_user_indexes i using (relid)
where t.relname = 'counters'
"""


async def test_a_walk_goes_to_the_end_of_the_table_and_reads_every_row_once(database: Database) -> None:
    rows = 2 * 100 * retention.BLOCKS  # a block has room for fewer than a hundred
    await database.pool.execute(COUNTERS, LONG_AGO, rows)
    assert (await Retention(database).purge(whole=True))["counters"] == rows
    await database.pool.execute("select pg_stat_force_next_flush()")
    read, by_key = await database.pool.fetchrow(SCANNED) or (0, 0)
    assert rows <= read < 1.5 * rows
    assert by_key == 0
