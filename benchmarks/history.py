"""What it costs that nothing is kept for ever: `python -m benchmarks history`.

A purge as the worker makes it, table by table, and the vacuum after it, in a database that has stood for longer than
anything is kept: HISTORY_ROWS verifications (300,000 unless set), and what comes with each. Read by nobody else.
"""

from __future__ import annotations

import os
import time
from contextlib import aclosing
from datetime import timedelta
from statistics import median
from typing import NamedTuple

from benchmarks.cpu import Calibration, Clock
from benchmarks.environment import Environment, set_up
from benchmarks.figures import note_all
from benchmarks.report import Report, Table
from service.db.engine import Database, open_database
from service.worker.retention import KEPT, Kept, Retention
from tests.support.clusters import query

ROWS = "300000"
CHUNK = 200_000  # verifications
WINDOWS = 4
# From the oldest to the newest, evenly; what is past its retention is one part in sixty of it.
VERIFICATIONS = """
with made as (
    insert into verifications (
        id, client_id, phone_hash, used, status, deliver, test, created_at, expires_at, pressed_at, closed_at,
        phone_limit, ip_limit, source_budget, total_budget
    )
    select uuidv7(- ago), 1, gen_random_uuid(), '{sms}', 'verified', true, false, now() - ago,
           now() - ago + interval '5 minutes', now() - ago, now() - ago, gen_random_uuid(), gen_random_uuid(),
           gen_random_uuid(), gen_random_uuid()
    from (select interval '30.5 days' * (1 - n / $3::float8) as ago from generate_series($1::int, $2::int) as n) as rows
    returning id, phone_hash, created_at
), sent as (
    insert into sends (
        verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at, ended_at, provider,
        provider_id, delivery, decision, weighed, weighed_at
    )
    select id, 1, phone_hash, 'sms', 'request', 'sent', created_at, created_at, created_at, created_at, 'telnyx',
           gen_random_uuid()::text, 'delivered', jsonb_build_object('facts', repeat(md5(id::text), 28)),
           array[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()], created_at
    from made
)
insert into guesses (id, verification_id, state, counted_at, settle_at, status, remaining)
select gen_random_uuid(), id, 'right', created_at, created_at, 'verified', 4 from made
"""
# A day's rows, of which a sixtieth is too old as well: $1 of them.
OTHERS = """
with rows as (
    select interval '24.4 hours' * (1 - n / $1::float8) as ago, gen_random_uuid() as key
    from generate_series(1, $1::int) as n
), keys as (
    insert into idempotency_keys (idem, body, verification_id, created_at, expires_at, remaining)
    select key, key, uuidv7(- ago), now() - ago, now() - ago, 5 from rows
), events as (
    insert into webhook_events (event_id, event_type, delivery, provider_id, received_at, applied_at, look_at)
    select key::text, 'verify.delivered', 'delivered', key::text, now() - ago, now() - ago, null from rows
)
insert into traces (verification_id, place, at) select key, '\\x00', now() - ago from rows
"""
DEVICES = """
insert into device_events (event, client_id, phone_hash, first_used_at)
select gen_random_uuid(), 1, gen_random_uuid(), now() - interval '31.5 days' * (1 - n / $1::float8)
from generate_series(1, $1::int) as n
"""
SIZES = """
select pg_size_pretty(pg_table_size(name)) || ' + ' || pg_size_pretty(pg_indexes_size(name))
from (select $1::text::regclass as name) as named
"""
# The tables of which every verification has a row, or nearly. Counters and histories are walked in turn instead.
MEASURED = ("verifications", "idempotency_keys", "webhook_events", "traces", "device_events")
OVER = {
    "30 days": timedelta(hours=12),
    "31 days": timedelta(hours=12),
    "24 hours": timedelta(minutes=24),
    "1 day": timedelta(minutes=24),
}
PURGED = ["", "rows", "PostgreSQL, CPU us a row, least", "rows a second, most", "WAL bytes a row"]
VACUUMED = ["", "size, tables + indexes", "dead rows", "CPU s", "wall s", "WAL MB"]


class Spent(NamedTuple):
    """What a piece of work took: PostgreSQL's CPU and wall time in seconds, and bytes of WAL."""

    cpu: float
    wall: float
    wal: int


class Meter:
    """Reads what was spent since the time before."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._last = Spent(0.0, 0.0, 0)

    async def read(self) -> Spent:
        """Return what was spent, and begin again."""
        wal = await query(self._url, "select (pg_current_wal_insert_lsn() - '0/0')::bigint")
        now, before = Spent(self._clock(), time.monotonic(), wal), self._last
        self._last = now
        return Spent(now.cpu - before.cpu, now.wall - before.wall, now.wal - before.wal)


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Fill a database, purge it in steps, and vacuum it."""
    url, _ = await set_up(environment.checkout, environment.server, "history")
    rows = int(os.environ.get("HISTORY_ROWS", ROWS))
    await _fill(url, rows)
    meter = Meter(url, await environment.clock_server())
    async with aclosing(await open_database(url)) as database:
        purged = Table(f"A purge, of {rows:,} verifications", PURGED)
        for kept in (kept for kept in KEPT if kept.table in MEASURED):
            await _purge(kept, database, meter, purged, report)
            calibration.take()
        report.show(purged)
    vacuumed = Table("The vacuum after it", VACUUMED)
    for name in ("verifications", "sends", "guesses", *MEASURED[1:]):
        await _vacuum(name, url, meter, vacuumed)
    report.show(vacuumed)


async def _fill(url: str, rows: int) -> None:
    await query(url, "alter database history set synchronous_commit = off")
    for first in range(1, rows + 1, CHUNK):
        await query(url, VERIFICATIONS, first, min(rows, first + CHUNK - 1), rows)
    await query(url, OTHERS, rows // 30)
    await query(url, DEVICES, rows)
    await query(url, "alter database history reset synchronous_commit")
    await query(url, "vacuum (analyze)")
    await query(url, "checkpoint")


async def _purge(kept: Kept, database: Database, meter: Meter, table: Table, report: Report) -> None:
    """Have the clock come nearer to now, so that each window has its share of what is too old."""
    retention, now = Retention(database), await database.pool.fetchval("select clock_timestamp()")
    over = OVER[kept.age]
    spent: list[tuple[int, Spent]] = []
    for left in reversed(range(WINDOWS)):
        await meter.read()
        gone = await retention.clear(kept, now - over * left / WINDOWS)
        spent.append((gone, await meter.read()))
    cpu = [one.cpu * 1e6 / gone for gone, one in spent]
    speed, wal = max(gone / one.wall for gone, one in spent), median(one.wal / gone for gone, one in spent)
    note_all(report.figures[0], f"PostgreSQL's CPU to delete a row of {kept.table}", cpu, "us")
    table.add(kept.table, f"{sum(gone for gone, _ in spent):,}", f"{min(cpu):.0f}", f"{speed:,.0f}", f"{wal:,.0f}")


async def _vacuum(name: str, url: str, meter: Meter, table: Table) -> None:
    dead = await query(url, "select pg_stat_get_dead_tuples($1::text::regclass)", name)
    await meter.read()
    await query(url, f"vacuum {name}")
    spent = await meter.read()
    table.add(
        name,
        await query(url, SIZES, name),
        f"{dead:,}",
        f"{spent.cpu:.2f}",
        f"{spent.wall:.1f}",
        f"{spent.wal / 1e6:.1f}",
    )
