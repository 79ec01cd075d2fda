"""Stores what a process did, in the sums that the console shows: one statement each round, none if nothing happened.

Run by worker.loop. Sums are of minutes, hours and days (UTC), shared by all processes. Never on the path of a request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from service.db.pool import Pool
from service.verification.activity import EVENTS, Activity, Counted

STORE_EVERY = 2.0  # seconds
# How long the sums of each span are kept.
SPANS = {"minute": "2 days", "hour": "9 days", "day": "400 days"}
# A row of everything for each span, without names; and of an hour and a day one for each client, country and channel.
VALUES = ", ".join(
    f"('{span}', {whole}, interval '{kept}')"
    for span, kept in SPANS.items()
    for whole in (["true"] if span == "minute" else ["true", "false"])
)

# A verification whose code was entered counts where its request did, by the channel that went out last. Rows are
# written in the order of their key: two processes that store at the same time must not wait for each other.
STORE = f"""
with clock as materialized (select coalesce($1::timestamptz, clock_timestamp()) as now), happened as (
    select clock.now as at, x.client, x.country, x.channel, x.requests, x.decoys, x.sends, x.suppressed,
           0 as converted, x.limited
    from unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[])
        as x(client, country, channel, requests, decoys, sends, suppressed, limited), clock
    union all
    select v.created_at, c.name, coalesce(nullif(s.country, ''), '?'), coalesce(s.booked, s.channel), 0, 0, 0, 0, 1, 0
    from unnest($10::uuid[]) as e(id)
    join verifications v on v.id = e.id and not v.test
    join clients c on c.id = v.client_id
    cross join lateral (
        select x.country, x.booked, x.channel from sends x
        where x.verification_id = v.id and is_real(x) and x.state in ('sent', 'in_doubt')
        order by x.ordinal desc limit 1
    ) as s
), refused as (
    insert into refusals as r (phone_hash, client_id, at, count)
    select x.phone_hash, x.client_id, date_trunc('minute', clock.now), x.count
    from unnest($11::uuid[], $12::int[], $13::int[]) as x(phone_hash, client_id, count), clock
    order by 1, 2
    on conflict (phone_hash, client_id, at) do update set count = r.count + excluded.count
)
insert into activity as a (span, at, client, country, channel, requests, decoys, sends, suppressed, converted, limited,
                           until)
select p.span, date_trunc(p.span, h.at, 'UTC') as at,
       case when p.whole then '' else h.client end as client,
       case when p.whole then '' else h.country end as country,
       case when p.whole then '' else h.channel end as channel,
       sum(h.requests), sum(h.decoys), sum(h.sends), sum(h.suppressed), sum(h.converted), sum(h.limited),
       date_trunc(p.span, h.at, 'UTC') + p.kept
from happened h cross join (values {VALUES}) as p(span, whole, kept)
group by p.span, 2, 3, 4, 5, p.kept
order by 1, 2, 3, 4, 5
on conflict (span, at, client, country, channel) do update set
    requests = a.requests + excluded.requests, decoys = a.decoys + excluded.decoys, sends = a.sends + excluded.sends,
    suppressed = a.suppressed + excluded.suppressed, converted = a.converted + excluded.converted,
    limited = a.limited + excluded.limited
"""  # noqa: S608 (ours)


class Sums(NamedTuple):
    """The counts of one client, country and channel: those of EVENTS, in their order."""

    client: str
    country: str
    channel: str
    requests: int
    decoys: int
    sends: int
    suppressed: int
    limited: int


class ActivityLog:
    """Stores one process's activity."""

    def __init__(self, pool: Pool, activity: Activity, now: Callable[[], datetime | None] = lambda: None) -> None:
        """`now`: as in Store."""
        self._pool = pool
        self._activity = activity
        self._now = now

    async def store(self) -> None:
        """Add what happened since the last time. Raises Unavailable, and keeps it then."""
        if not self._activity:
            return
        taken = self._activity.take()
        rows = _sum_up(taken)
        columns = [[row[place] for row in rows] for place in range(len(Sums._fields))]
        refused = [*taken.refused.items()]
        hashes, clients = [who[0] for who, _ in refused], [who[1] for who, _ in refused]
        try:
            await self._pool.execute(
                STORE, self._now(), *columns, [*taken.converted], hashes, clients, [count for _, count in refused]
            )
        except BaseException:
            self._activity.give_back(taken)
            raise


def _sum_up(activity: Activity) -> list[Sums]:
    groups = {(one.client, one.country, one.channel) for one in activity.counts}
    return [Sums(*group, *(activity.counts[Counted(event, *group)] for event in EVENTS)) for group in sorted(groups)]
