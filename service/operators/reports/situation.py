"""How things stand now: what waits, how long sends take, what the day has cost against its budgets.

Called by api. Reads only, and never more rows than it shows: its cost does not grow.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import msgspec

from service.db.asking import CLOCK, ask
from service.db.engine import Database
from service.policy.spending import Budgets

# Sends whose times are looked at, and how many due verifications are counted: more says the same.
NEWEST_SENDS, MOST_COUNTED = 500, 10_000

QUEUE = f"""
with {CLOCK}, due as (
    select v.next_action_at from verifications v, clock
    where v.next_action_at <= clock.now and v.lease_token is null and v.status = 'pending'
    order by v.next_action_at limit {MOST_COUNTED}
)
select count(*)::int as due, coalesce(extract(epoch from max(clock.now) - min(d.next_action_at)), 0)::float8 as oldest
from due d, clock
"""  # noqa: S608 (ours)
LATENCY = f"""
with {CLOCK}, newest as (
    select s.* from sends s order by s.verification_id desc, s.ordinal desc limit {NEWEST_SENDS}
), took as (
    select extract(epoch from s.ended_at - s.wanted_at)::float8 as seconds from newest s, clock
    where is_real(s) and s.state in ('sent', 'in_doubt') and s.ended_at > clock.now - interval '1 hour'
)
select count(*)::int as sends, percentile_cont(0.5) within group (order by seconds) as middle,
       percentile_cont(0.95) within group (order by seconds) as slow
from took
"""  # noqa: S608 (ours)
SPENT = f"""
with {CLOCK}
select coalesce(nullif(l.country, ''), '?') as country, sum(l.spent)::numeric(20, 6) as spent,
       sum(l.saved)::numeric(20, 6) as saved, sum(l.sends)::int as sends, sum(l.stopped)::int as suppressed
from clock, ledger l where l.day = (clock.now at time zone 'UTC')::date group by 1 order by 2 desc, 3 desc, 1
"""  # noqa: S608 (ours)


class Queue(msgspec.Struct, frozen=True):
    """What waits to be sent. `oldest`: for how long (s) the first of it has been due."""

    due: int
    oldest: float


class Latency(msgspec.Struct, frozen=True):
    """How long (s) the newest sends of the last hour took, from being wanted to Telnyx' answer."""

    sends: int
    middle: float | None
    slow: float | None


class Spending(msgspec.Struct, frozen=True):
    """What today (UTC) cost in one country, or in all (`country` None). `budget`: None where there is none."""

    country: str | None
    spent: Decimal
    saved: Decimal
    sends: int
    suppressed: int
    budget: Decimal | None


class Situation:
    """How things stand in one database."""

    def __init__(self, database: Database, now: Callable[[], datetime | None] = lambda: None) -> None:
        """`now`: as in Store."""
        self._database = database
        self._now = now

    async def queue(self) -> Queue:
        [row] = await ask(self._database, QUEUE, self._now())
        return Queue(**row)

    async def latency(self) -> Latency:
        [row] = await ask(self._database, LATENCY, self._now())
        return Latency(**row)

    async def spending(self, budgets: Budgets) -> list[Spending]:
        """Return what today cost: all of it, then by country, the dearest first."""
        rows = await ask(self._database, SPENT, self._now())
        countries = [
            Spending(**row, budget=_limit(budgets.countries.get(row["country"], budgets.each_country))) for row in rows
        ]
        whole = Spending(
            None,
            sum((one.spent for one in countries), Decimal(0)),
            sum((one.saved for one in countries), Decimal(0)),
            sum(one.sends for one in countries),
            sum(one.suppressed for one in countries),
            _limit(budgets.everything),
        )
        return [whole, *countries]


def _limit(budget: float) -> Decimal | None:
    return Decimal(str(budget)) if budget > 0 else None
