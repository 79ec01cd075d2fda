"""What a decision costs by itself, in a new database and in a full one: `python -m benchmarks decisions`.

fraud.judge as the gateway has it, without Fingerprint, in a process of its own. Full: the histories that it meets hold
all that they ever hold, and beside them lie as many verifications, sends and histories of others as FILL seconds allow.
"""

from __future__ import annotations

import asyncio
import time
from itertools import islice

from benchmarks import deciding, requests
from benchmarks.admits import Spent
from benchmarks.client_comparison import alone
from benchmarks.cpu import Calibration
from benchmarks.deciding import Work
from benchmarks.environment import Environment
from benchmarks.report import Report, Table
from tests.support.clusters import query

FILL = 35.0  # seconds
SETTLE = 3.0  # seconds in which the disk takes in what was written
CHUNK = 200_000  # verifications
AT_ONCE = (1, 16)
WINDOWS, COUNT = 8, 100

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
    """Measure in the new database, fill it, measure again."""
    table = Table("One decision", ["", "our CPU ms, least", "PostgreSQL, CPU ms, least", "round trips"])
    for name, full in (("new database", False), ("full histories", True)):
        await _decide(environment, name, table, report, full=full)
        calibration.take()
    rows = await _fill(environment)
    await _decide(environment, f"full histories, among {rows:,} verifications", table, report, full=True)
    calibration.take()
    await environment.forget()
    report.show(table)


async def _decide(environment: Environment, name: str, table: Table, report: Report, *, full: bool) -> None:
    for at_once in AT_ONCE:
        numbers = list(islice(requests.numbers, COUNT * (WINDOWS + 1)))
        work = Work(environment.server.url(), await environment.postmaster(), numbers, COUNT, at_once, full)
        with alone() as pool:
            spent, trips = await asyncio.get_running_loop().run_in_executor(pool, deciding.run, work)
        service, database = _least(spent)
        table.add(f"{name}, {at_once} at once", f"{service:.3f}", f"{database:.3f}", f"{trips:.2f}")
        report.aim(f"CPU of a decision, {at_once} at once: {name}", service, 0.3, "ms")
        if at_once == 1:
            report.aim(f"Round trips of a decision: {name}", trips, 2, "")


def _least(spent: list[Spent]) -> tuple[float, float]:
    return min(one.service for one in spent), min(one.database for one in spent)


async def _fill(environment: Environment) -> int:
    """Add rows of others for FILL seconds; return how many verifications that made."""
    url, end, rows = environment.server.url(), time.monotonic() + FILL, 0
    while time.monotonic() < end:
        statements = (VERIFICATIONS, HISTORIES, COUNTERS)
        await asyncio.gather(*(query(url, statement, CHUNK) for statement in statements))
        rows += CHUNK
    # What PostgreSQL would otherwise do during the measurement, some minutes later.
    await query(url, "vacuum (analyze) verifications, sends, histories, counters")
    await query(url, "checkpoint")
    await asyncio.sleep(SETTLE)
    return rows
