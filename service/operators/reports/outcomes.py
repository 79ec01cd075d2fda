"""What became of the numbers that rules stopped, or would have stopped: by client and rule, how many were verified.

Called by api, cli and operators.reports.observations. From recorded decisions; changes nothing, and names nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from service.db.asking import ask, ask_at_length
from service.db.engine import Database
from service.vault import first_id

# Whoever is stopped by mistake tries again, by another channel or from elsewhere: for so long that counts for them.
WITHIN = timedelta(days=1)
# Ids are made by the processes' clocks, which may be behind the database's by this much; created_at decides.
CLOCKS_DIFFER = timedelta(minutes=5)

# The window is found by the key, which sorts by time, in both tables; whether a number was verified, by the number's
# index. A number counts once for each rule, however often it was requested.
OUTCOMES = """
with asked as materialized (
    select v.client_id, v.phone_hash, v.created_at, s.decision -> 'findings' as findings
    from verifications v join sends s on s.verification_id = v.id and s.verification_id >= $1 and s.verification_id < $2
    where v.id >= $1 and v.id < $2 and v.created_at >= $3 and v.created_at < $4 and v.deliver and not v.test
      and ($5::int is null or v.client_id = $5) and s.decision is not null
), objected as materialized (
    select a.client_id, a.phone_hash, a.created_at, f.rule, f.mode
    from asked a cross join lateral jsonb_to_recordset(a.findings) as f(rule text, mode text)
    where f.mode in ('observe', 'enforce') and ($6::text[] is null or f.rule = any ($6))
), moments as materialized (
    select m.phone_hash, m.created_at, exists (
        select from verifications p where p.phone_hash = m.phone_hash and p.status = 'verified'
          and p.closed_at >= m.created_at and p.closed_at < m.created_at + $7::interval
    ) as verified
    from (select distinct o.phone_hash, o.created_at from objected o) as m
), numbers as (
    select o.client_id, o.rule, o.mode, o.phone_hash, bool_or(m.verified) as verified,
           max(o.created_at) > $8::timestamptz - $7::interval as open
    from objected o join moments m using (phone_hash, created_at)
    group by grouping sets ((1, 2, 3, 4), (1, 3, 4))
)
select c.name as client, n.rule, n.mode, count(*)::int as numbers, count(*) filter (where n.verified)::int as verified,
       count(*) filter (where n.open and not n.verified)::int as open
from numbers n join clients c on c.id = n.client_id group by 1, 2, 3
order by 1, 3, 4 desc, 2 nulls first
"""
ASKED = """
select count(distinct v.phone_hash)::int as numbers from verifications v
where v.id >= $1 and v.id < $2 and v.created_at >= $3 and v.created_at < $4 and v.deliver and not v.test
  and v.client_id = $5
"""


class Outcome(msgspec.Struct, frozen=True):
    """What became of the numbers to which one rule objected, for one client. `rule`: None for all rules of the mode.

    `verified`: those that were verified within a day, in whatever way and for whichever client. `open`: those that were
    not, and whose day is not over.
    """

    client: str
    rule: str | None
    mode: Literal["observe", "enforce"]
    numbers: int
    verified: int
    open: int


class Scope(msgspec.Struct, frozen=True):
    """Which requests are looked at. `client`: None for all; `rules`: None for all."""

    since: datetime
    until: datetime
    client: int | None = None
    rules: Sequence[str] | None = None

    def keys(self) -> tuple[object, ...]:
        """Return between which ids and times they are, and whose."""
        ids = first_id(self.since - CLOCKS_DIFFER), first_id(self.until + CLOCKS_DIFFER)
        return (*ids, self.since, self.until, self.client)


class Outcomes:
    """Reads the outcomes of one database."""

    def __init__(
        self, database: Database, now: Callable[[], datetime | None] = lambda: None, limit: float | None = None
    ) -> None:
        """`now`: as in Store; `limit`: seconds that a statement may take, None for the operators' two."""
        self._database = database
        self._limit = limit
        self._now = now

    async def read(self, window: timedelta) -> list[Outcome]:
        """Read those of a window that ends now, for every client. Raises Unavailable if that takes too long."""
        now = self._now() or datetime.now(UTC)
        return await self.read_scope(Scope(now - window, now + CLOCKS_DIFFER))

    async def read_scope(self, scope: Scope) -> list[Outcome]:
        """Read those of some requests. Raises Unavailable if that takes too long."""
        now = self._now() or datetime.now(UTC)
        rows = await self._ask(OUTCOMES, *scope.keys(), scope.rules, WITHIN, now)
        return [Outcome(**row) for row in rows]

    async def count_numbers(self, scope: Scope) -> int:
        """Count the numbers of a client's requests. Raises Unavailable."""
        [row] = await self._ask(ASKED, *scope.keys())
        return int(row["numbers"])

    async def _ask(self, statement: str, *values: object) -> list[dict[str, Any]]:
        if self._limit is None:
            return await ask(self._database, statement, *values)
        return await ask_at_length(self._database, self._limit, statement, *values)
