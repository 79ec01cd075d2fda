"""Whether there is anything for an alarm to look at: one statement before those that each look.

Asked by worker.alarms in every round. Tells no more than that: what is wrong, and in which words, is for those who
look.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from service.db.asking import CLOCK
from service.db.pool import Pool
from service.fraud.storage.weighing import EXPECTED_FOR

# The first in an index's order, not existence: planned while its table is small, that would read the whole of it later.
SIGNS = f"""
with {CLOCK}
select exists (select from alerts where ended_at is null) as alerts, (
    select b.until from blocks b
    where b.until > (select now from clock) and b.lifted_at is null and b.set_by = 'rule'
    order by b.until desc limit 1
) is not null as blocks, exists (
    select from exemptions e, clock where e.kind <> 'number' and e.until > clock.now and e.lifted_at is null
) as exemptions, (
    select w.unknown_no from webhook_events w where w.unknown_no is not null order by w.unknown_no limit 1
) is not null as unknown, exists (select from callback_endpoints) as endpoints, exists (
    select from device_signals s, clock where greatest(s.missing_at, s.unfamiliar_at) > clock.now - $2::interval
) as signals, (
    select r.at from rule_counts r where r.at > (select now from clock) - $3::interval and r.rule <> ''
    order by r.at desc limit 1
) is not null as objections
"""  # noqa: S608 (ours)


class Signs(NamedTuple):
    """What there is. `blocks`: set by rules; `exemptions`: of ranges and countries; `unknown`: webhooks of nobody.

    `endpoints`: of callbacks; `signals`: missed, or not understood; `objections`: of rules.
    """

    alerts: bool
    blocks: bool
    exemptions: bool
    unknown: bool
    endpoints: bool
    signals: bool
    objections: bool


async def read_signs(pool: Pool, now: datetime | None, objections: timedelta) -> Signs:
    """Read them; `objections`: of so long. Raises Unavailable."""
    row = await pool.fetchrow(SIGNS, now, EXPECTED_FOR, objections)
    return Signs(*row) if row else Signs(*[True] * len(Signs._fields))
