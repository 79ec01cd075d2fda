"""What the service did, from the sums that worker.activity_log stores: by minute, by day, by client, country, channel.

Called by api. Reads sums, never verifications: its cost does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from service.db.asking import CLOCK, ask
from service.db.engine import Database

Span = Literal["minute", "hour", "day"]
Side = Literal["client", "country", "channel"]
SIDES: tuple[Side, ...] = ("client", "country", "channel")
COUNTS = "sum(a.requests)::int as requests, sum(a.decoys)::int as decoys, sum(a.sends)::int as sends, "
COUNTS += "sum(a.suppressed)::int as suppressed, sum(a.converted)::int as converted, sum(a.limited)::int as limited"

SERIES = f"""
with {CLOCK}, steps as (
    select generate_series(
        date_trunc($2::text, clock.now, 'UTC') - $3::interval * ($4::int - 1), date_trunc($2::text, clock.now, 'UTC'),
        $3::interval
    ) as at from clock
)
select t.at, coalesce(a.requests, 0) as requests, coalesce(a.decoys, 0) as decoys, coalesce(a.sends, 0) as sends,
       coalesce(a.suppressed, 0) as suppressed, coalesce(a.converted, 0) as converted,
       coalesce(a.limited, 0) as limited
from steps t left join activity a
  on a.span = $2 and a.at = t.at and a.client = '' and a.country = '' and a.channel = ''
order by t.at
"""  # noqa: S608 (ours)
GROUPS = f"""
with {CLOCK}
select case when grouping(a.client) = 0 then 'client' when grouping(a.country) = 0 then 'country' else 'channel' end
           as side,
       coalesce(a.client, a.country, a.channel) as name, {COUNTS}
from activity a, clock
where a.span = $2 and a.at >= date_trunc($2::text, clock.now, 'UTC') - $3::interval * ($4::int - 1) and a.client <> ''
group by grouping sets ((a.client), (a.country), (a.channel)) order by sum(a.requests) desc, 2
"""  # noqa: S608 (ours)


class Sum(msgspec.Struct, frozen=True):
    """What happened in one step of time, or to one client, country or channel. `converted`: by the time of request."""

    requests: int
    decoys: int
    sends: int
    suppressed: int
    converted: int
    limited: int


class Step(Sum, frozen=True):
    """The sums of a minute, an hour or a day; `at`: when it began."""

    at: datetime


class Part(Sum, frozen=True):
    """The sums of one client, country or channel."""

    name: str


class Length(NamedTuple):
    """A window: so many steps of a span, the running one included."""

    span: Span
    steps: int

    @property
    def step(self) -> timedelta:
        """How long one step is."""
        return {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}[self.span]


class ActivityQueries:
    """The sums of one database."""

    def __init__(self, database: Database, now: Callable[[], datetime | None] = lambda: None) -> None:
        """`now`: as in Store."""
        self._database = database
        self._now = now

    async def series(self, length: Length) -> list[Step]:
        """Return the sums of each step, the oldest first, without gaps. Raises Unavailable."""
        rows = await ask(self._database, SERIES, self._now(), length.span, length.step, length.steps)
        return [Step(**row) for row in rows]

    async def parts(self, length: Length, most: int) -> dict[Side, list[Part]]:
        """Return the sums of the busiest clients, countries and channels. Raises Unavailable."""
        rows = await ask(self._database, GROUPS, self._now(), length.span, length.step, length.steps)
        found: dict[Side, list[Part]] = {side: [] for side in SIDES}
        for row in rows:
            # A refused request has a client alone.
            if row["name"]:
                found[row.pop("side")].append(Part(**row))
        return {side: parts[:most] for side, parts in found.items()}


def total(sums: Sequence[Sum]) -> Sum:
    """Add up."""
    names = Sum.__struct_fields__
    added: dict[str, Any] = {name: sum(getattr(one, name) for one in sums) for name in names}
    return Sum(**added)


def day_of(moment: datetime) -> datetime:
    """Return when the day of a moment began (UTC)."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
