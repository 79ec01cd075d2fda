"""What clients' device events never carry, and values in them that this version does not know: for whoever can help.

Read by worker.alarms and by `policy show`. Changes nothing: migrations/functions/weigh_v6.sql notes it, with each send.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from service.db.pool import Pool
from service.fraud.facts import VERDICTS
from service.fraud.storage.weighing import EXPECTED_FOR

# As weigh_v6 judges it, for clients whose events still come.
ABSENT = """
select c.name, s.signal from device_signals s join clients c on c.id = s.client_id
cross join (select coalesce($1::timestamptz, clock_timestamp()) - $2::interval as since) t
where s.missing_at > t.since and (s.carried_at is null or (s.carried_at <= t.since and s.missing_since <= t.since))
order by c.name, s.signal
"""
UNFAMILIAR = """
select distinct signal from device_signals
where unfamiliar_at > coalesce($1::timestamptz, clock_timestamp()) - $2::interval order by signal
"""


async def list_absent(pool: Pool, now: datetime | None = None) -> dict[str, list[str]]:
    """List the signals that never come, by client. Raises Unavailable."""
    rows = await pool.fetch(ABSENT, now, EXPECTED_FOR)
    return {client: [row[1] for row in found] for client, found in groupby(rows, key=lambda row: str(row[0]))}


async def list_unfamiliar(pool: Pool, now: datetime | None = None) -> list[str]:
    """List the fields of events that had a value of which nothing is known. Raises Unavailable."""
    return [str(row[0]) for row in await pool.fetch(UNFAMILIAR, now, EXPECTED_FOR)]


def word_absent(client: str, signals: list[str]) -> str:
    """Say it of one client."""
    told = ["any verdict" if signal == VERDICTS else signal for signal in signals]
    return f"No device event of {client} carries {', '.join(told)}: what never comes stops nobody."
