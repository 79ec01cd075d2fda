"""What a decision costs by itself, in a new database and in a full one: `python -m benchmarks decisions`.

fraud.judge as the gateway has it, without Fingerprint, in a process of its own. Full: the histories that it meets hold
all that they ever hold. Among others: beside them lie as many verifications, sends and histories of others as FILL
seconds allow, or as many as DECISIONS_ROWS says (10,000,000 take some minutes).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from itertools import islice
from statistics import median

from benchmarks import deciding, requests
from benchmarks.admits import Spent
from benchmarks.client_comparison import alone
from benchmarks.cpu import Calibration
from benchmarks.deciding import Work
from benchmarks.environment import Environment, set_up
from benchmarks.figures import note_all
from benchmarks.report import Report, Table
from tests.support.clusters import query

FILL = 35.0  # seconds
SETTLE = 3.0  # seconds in which the disk takes in what was written
CHUNK = 200_000  # verifications
AT_ONCE = (1, 16)
WINDOWS, COUNT, CYCLES = 4, 100, 3
NEW, FULL, AMONG = "new database", "full histories", "full histories among others"
FLAT = 1.05

VERIFICATIONS = """
with made as (
    insert into verifications (
        id, client_id, phone_hash, used, status, deliver, test, created_at, expires_at, pressed_at, closed_at,
        phone_limit, source_budget, total_budget
    )
    select uuidv7(), 1, gen_random_uuid(), '{sms}', 'verified', true, false, now() - interval '2 days',
           now() - interval '47 hours', now() - interval '2 days', now() - interval '2 days',
           gen_random_uuid(), gen_random_uuid(), gen_random_uuid()
    from generate_series(1, $1)
    returning id, phone_hash, created_at
)
insert into sends (
    verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at, ended_at, provider,
    provider_id, delivery
)
select id, 1, phone_hash, 'sms', 'request', 'sent', created_at, created_at, created_at, created_at, 'telnyx',
       gen_random_uuid()::text, 'delivered'
from made
"""
HISTORIES = """
insert into histories
select subject, array[now() - interval '2 days', now() - interval '3 days'], array[1, 2], array[true, false],
       1, 1, 2, 1, 1
from (select gen_random_uuid() as subject from generate_series(1, $1) order by 1)
"""
COUNTERS = """
insert into counters
select subject, array[now() - interval '2 days']
from (select gen_random_uuid() as subject from generate_series(1, $1) order by 1)
"""


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Measure in three databases by turns."""
    urls = {NEW: "new", FULL: "full", AMONG: "among"}
    for name, database in urls.items():
        urls[name], _ = await set_up(environment.checkout, environment.server, database)
    rows = await _fill(urls[AMONG])
    postmaster, trips = await environment.postmaster(), dict[str, float]()
    found: dict[tuple[str, int], list[Spent]] = defaultdict(list)
    for _ in range(CYCLES):
        for at_once in AT_ONCE:
            for name, url in urls.items():
                numbers = list(islice(requests.numbers, COUNT * (WINDOWS + 1)))
                work = Work(url, postmaster, numbers, COUNT, at_once, full=name != NEW)
                with alone() as pool:
                    spent, trips[name] = await asyncio.get_running_loop().run_in_executor(pool, deciding.run, work)
                found[name, at_once] += spent
            await query(urls[NEW], "truncate histories, counters, sends")
            calibration.take()
    _tell(found, trips, rows, report)


def _tell(found: dict[tuple[str, int], list[Spent]], trips: dict[str, float], rows: int, report: Report) -> None:
    heads = ["", "our CPU ms, least", "PostgreSQL, CPU ms, least", "together, median"]
    table = Table(f"One decision ({AMONG}: {rows:,} verifications)", heads)
    together = {which: [one.service + one.database for one in spent] for which, spent in found.items()}
    for (name, at_once), spent in found.items():
        service, database = [one.service for one in spent], [one.database for one in spent]
        cells = (min(service), min(database), median(together[name, at_once]))
        table.add(f"{name}, {at_once} at once", *(f"{cell:.3f}" for cell in cells))
        report.aim(f"CPU of a decision, {at_once} at once: {name}", min(service), 0.3, "ms", windows=service)
        note_all(report.figures[0], f"PostgreSQL's CPU of a decision, {at_once} at once: {name}", database, "ms")
    report.show(table)
    for at_once in AT_ONCE:
        ratio = median(together[AMONG, at_once]) / median(together[FULL, at_once])
        report.aim(f"CPU of a decision, {at_once} at once, {AMONG} : {FULL}", ratio, FLAT, "")
    for name, count in trips.items():
        report.aim(f"Round trips of a decision: {name}", count, 2, "")


async def _fill(url: str) -> int:
    """Add rows of others for FILL seconds, or as many as asked for; return how many verifications that made."""
    end, rows, asked = time.monotonic() + FILL, 0, int(os.environ.get("DECISIONS_ROWS", "0"))
    while rows < asked or (not asked and time.monotonic() < end):
        statements = (VERIFICATIONS, HISTORIES, COUNTERS)
        await asyncio.gather(*(query(url, statement, CHUNK) for statement in statements))
        rows += CHUNK
    # What PostgreSQL would otherwise do during the measurement, some minutes later.
    await query(url, "vacuum (analyze) verifications, sends, histories, counters")
    await query(url, "checkpoint")
    await asyncio.sleep(SETTLE)
    return rows
