"""What one process knows of whole countries and networks: what is usual, whose alarm is up, and what is waived.

Read by fraud.judge, verification.step_up and worker.countries; read from the database by worker.alarms. Holds nothing
of a single number, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from uuid import UUID

from service import telemetry
from service.db.asking import CLOCK
from service.db.pool import Pool
from service.errors import Unavailable
from service.fraud.histories import subjects
from service.fraud.money import USUAL_SHARE, Usual
from service.vault import Vault

# The bounds within which a country's own share of converted sends is believed, and how many sends that takes.
LEAST_SHARE, MOST_SHARE = 0.3, 0.9
KNOWN_AFTER = 100
# How many networks' alarms a process keeps.
MOST_NETWORKS = 10_000
# Of the ledger, which reaches back before this release; of a day whose hours were counted, only what its converted
# sends account for, or a day of pumping would let the next ones send three times as much.
USUAL = f"""
with {CLOCK}, span as (
    select date_trunc('day', now, 'UTC') as today, (now at time zone 'UTC')::date as day from clock
), hours as (
    select h.country, (h.hour at time zone 'UTC')::date as day, sum(h.sends) as sends, sum(h.converted) as converted
    from country_hours h, span
    where h.hour < span.today and h.hour >= span.today - interval '14 days' group by 1, 2
), shares as (
    select country, case when sum(sends) >= $2 then greatest($3, least($4, sum(converted)::float8 / sum(sends)))
                         else $5 end as share
    from hours group by 1
), days as (
    select l.country, l.day, sum(l.sends) as sends from ledger l, span
    where l.day < span.day and l.day >= span.day - 14 and l.country <> '' group by 1, 2
)
select d.country,
       max(case when h.sends * 2 >= d.sends then least(d.sends, h.converted / s.share) else d.sends end)::int,
       1 / coalesce(max(s.share), $5) as worth
from days d left join hours h using (country, day) left join shares s on s.country = d.country
where d.sends > 0 group by d.country
"""  # noqa: S608 (ours)
# Incidents are common to all processes, and over when none has seen them for a while.
ALARMED = f"""
with {CLOCK}
select split_part(a.kind, ' ', 2) as country, null::uuid as network from alerts a
where a.ended_at is null and split_part(a.kind, ' ', 1) in ('drift', 'unconverted')
union
(select case when b.kind = 'country' then b.label end, case when b.kind = 'ip' then b.subject end from blocks b, clock
where b.until > clock.now and b.lifted_at is null and b.set_by = 'rule' and b.kind in ('country', 'ip')
order by b.id desc limit {MOST_NETWORKS})
"""  # noqa: S608 (ours)
WAIVED = f"""
with {CLOCK}
select e.kind, e.digits, e.phone_hash, e.lifts from exemptions e, clock
where e.kind <> 'number' and e.until > clock.now and e.lifted_at is null
"""  # noqa: S608 (ours)


class Countries:
    """One process's copy, which is a few seconds old. Empty until it is read."""

    def __init__(
        self, vault: Vault, pool: Pool | None = None, now: Callable[[], datetime | None] = lambda: None
    ) -> None:
        """`now`: as in Store."""
        self._vault = vault
        self._pool = pool
        self._now = now
        self.usual: Mapping[str, Usual] = {}
        self._alarmed: Collection[str] = frozenset()
        self._networks: Collection[UUID] = frozenset()
        self._waived: dict[tuple[str, int], dict[UUID, list[str]]] = {}

    async def read_first(self) -> None:
        """Read both before the first decision, if they can be read: the rounds will, and nobody waits for them."""
        try:
            await self.read_usual()
            await self.read_alarms()
        except Unavailable as error:
            telemetry.log.warning("countries_unknown", exc_info=error)

    async def read_usual(self) -> None:
        """Read what was usual on the days before today. Raises Unavailable."""
        if self._pool is not None:
            bounds = (KNOWN_AFTER, LEAST_SHARE, MOST_SHARE, USUAL_SHARE)
            rows = await self._pool.fetch(USUAL, self._now(), *bounds)
            self.usual = {country: Usual(busiest, worth) for country, busiest, worth in rows}

    async def read_alarms(self, *, alarmed: bool = True, waived: bool = True) -> None:
        """Read whose alarm is up, and what is waived for ranges and countries. Raises Unavailable.

        `alarmed`, `waived`: whether there may be any at all; nothing is asked about what there is none of.
        """
        if self._pool is None:
            return
        rows = await self._pool.fetch(ALARMED, self._now()) if alarmed else []
        self._alarmed = {country for country, _ in rows if country}
        self._networks = {network for _, network in rows if network is not None}
        found: dict[tuple[str, int], dict[UUID, list[str]]] = {}
        for kind, digits, subject, names in await self._pool.fetch(WAIVED, self._now()) if waived else []:
            found.setdefault((kind, digits or 0), {}).setdefault(subject, []).extend(names)
        self._waived = found

    @property
    def waives(self) -> bool:
        """Whether anything is waived for any range or country."""
        return bool(self._waived)

    def is_alarmed(self, country: str | None, network: str | None) -> bool:
        """Say whether the alarm of a country, or of an address or its neighbours, is up."""
        if country in self._alarmed:
            return True
        if network is None or not self._networks:
            return False
        near = subjects.address_of(self._vault, network), subjects.neighbours_of(self._vault, network)
        return any(one in self._networks for one in near)

    def waived_for(self, e164: str, country: str | None) -> list[str]:
        """List what is waived for the range or the country of a number."""
        found: list[str] = []
        for (kind, digits), waived in self._waived.items():
            if kind == "country":
                found += waived.get(subjects.country_of(self._vault, country or ""), ())
            else:
                found += waived.get(subjects.prefix_of(self._vault, e164, digits), ())
        return found
