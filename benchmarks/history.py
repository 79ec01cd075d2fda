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
from benchmarks.history_rows import fill
from benchmarks.report import Report, Table
from service.db.engine import Database, open_database
from service.worker.retention import KEPT, Kept, Retention
from tests.support.clusters import query

ROWS = "300000"
WINDOWS = 4
SIZES = """
select pg_size_pretty(pg_table_size(name)) || ' + ' || pg_size_pretty(pg_indexes_size(name))
from (select $1::text::regclass as name) as named
"""
# The tables of which every verification has a row. The last one is walked, so it has no windows.
MEASURED = ("verifications", "idempotency_keys", "webhook_events", "traces", "device_events")
WALKED = "counters"
OVER = timedelta(hours=12)  # by so much history_rows has more than is kept
PURGED = ["", "rows", "PostgreSQL, CPU us a row, least", "rows a second, most", "WAL bytes a row"]
VACUUMED = ["", "size, table + indexes", "CPU s", "wall s", "WAL MB"]


class Spent(NamedTuple):
    """What a piece of work took: PostgreSQL's CPU and wall time in seconds, and bytes of WAL."""

    cpu: float
    wall: float
    wal: int


class Meter:
    """Reads what was spent since the time before. Opens no connection: of one that has ended, CPU is known in 10 ms."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._last = Spent(0.0, 0.0, 0)

    async def read(self) -> Spent:
        """Return what was spent, and begin again."""
        wal = await self._database.pool.fetchval("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
        now, before = Spent(self._clock(), time.monotonic(), wal), self._last
        self._last = now
        return Spent(now.cpu - before.cpu, now.wall - before.wall, now.wal - before.wal)


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Fill a database, purge it in steps, and vacuum it."""
    url, _ = await set_up(environment.checkout, environment.server, "history")
    rows = int(os.environ.get("HISTORY_ROWS", ROWS))
    await fill(url, rows)
    async with aclosing(await open_database(url)) as database:
        meter = Meter(database, await environment.clock_server())
        purged = Table(f"A purge, of {rows:,} verifications", PURGED)
        for kept in (kept for kept in KEPT if kept.table in MEASURED):
            await _purge(kept, database, meter, purged, report)
            calibration.take()
        await _walk(database, meter, purged, report)
        report.show(purged)
        vacuumed = Table("The vacuum after it", VACUUMED)
        for name in ("sends", "guesses", *MEASURED, WALKED):
            await _vacuum(name, url, meter, vacuumed)
        report.show(vacuumed)


async def _purge(kept: Kept, database: Database, meter: Meter, table: Table, report: Report) -> None:
    """Have the clock come nearer to now, so that each window has its share of what is too old."""
    retention, now = Retention(database), await database.pool.fetchval("select clock_timestamp()")
    spent: list[tuple[int, Spent]] = []
    for left in reversed(range(WINDOWS)):
        await meter.read()
        gone = await retention.clear(kept, now - OVER * left / WINDOWS)
        spent.append((gone, await meter.read()))
    cpu = [one.cpu * 1e6 / gone for gone, one in spent]
    speed, wal = max(gone / one.wall for gone, one in spent), median(one.wal / gone for gone, one in spent)
    note_all(report.figures[0], f"PostgreSQL's CPU to delete a row of {kept.table}", cpu, "us")
    table.add(kept.table, f"{sum(gone for gone, _ in spent):,}", f"{min(cpu):.1f}", f"{speed:,.0f}", f"{wal:,.0f}")


async def _walk(database: Database, meter: Meter, table: Table, report: Report) -> None:
    """Walk a whole table; its CPU is for each row that it has."""
    (kept,) = (one for one in KEPT if one.table == WALKED)
    retention, now = Retention(database), await database.pool.fetchval("select clock_timestamp()")
    rows = await database.pool.fetchval(f"select count(*) from {WALKED}")  # noqa: S608 (ours)
    await meter.read()
    gone = await retention.clear(kept, now, whole=True)
    spent = await meter.read()
    cpu = spent.cpu * 1e6 / rows
    note_all(report.figures[0], f"PostgreSQL's CPU to walk past a row of {WALKED}", [cpu], "us")
    cells = (f"{gone:,} of {rows:,}, walked", f"{cpu:.2f}", f"{rows / spent.wall:,.0f}", f"{spent.wal / gone:,.0f}")
    table.add(WALKED, *cells)


async def _vacuum(name: str, url: str, meter: Meter, table: Table) -> None:
    await meter.read()
    await query(url, f"vacuum {name}")
    spent = await meter.read()
    cells = (f"{spent.cpu:.2f}", f"{spent.wall:.1f}", f"{spent.wal / 1e6:.1f}")
    table.add(name, await query(url, SIZES, name), *cells)
