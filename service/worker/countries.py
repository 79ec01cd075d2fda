"""What is wrong with a whole country: its codes are entered less than usual, or too many went out for nothing.

Called by worker.alarms, in every process; one of them looks, and each keeps its own copy of whose alarm is up. Its
texts contain counts and countries, nobody's number.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from service import telemetry
from service.db.asking import CLOCK
from service.db.pool import Pool
from service.fraud.countries import Countries
from service.fraud.money import most_unconverted
from service.policy.model import Policy
from service.worker.drift import DAY, Counts, DayCounts, Drift, find_drift

# A code that is younger may still be entered: verifications live for ten minutes at most.
SETTLED = timedelta(minutes=12)
# Seconds between two looks: what they count changes little within seconds.
LOOK_EVERY = 20.0
# An alert rings at this share of what may go out for nothing, so that there is time to say something.
MUCH = 0.5
KINDS = ("drift", "unconverted")
# By how many times 24 hours ago they end: the last whole hour whose codes can be entered no more comes first.
HOURS = f"""
with {CLOCK}, ended as (select now, date_trunc('hour', now - $2::interval, 'UTC') as until from clock), aged as (
    select h.country, h.sends, h.converted, (extract(epoch from e.until - h.hour) / 3600)::int - 1 as age
    from country_hours h, ended e
    where h.hour < e.until and h.hour >= e.until - interval '15 days' and h.country <> ''
), days as (
    select country, age / 24 as ago, sum(sends)::int as sends, sum(converted)::int as converted,
           coalesce(sum(sends) filter (where age % 24 < 6), 0)::int as late,
           coalesce(sum(converted) filter (where age % 24 < 6), 0)::int as late_converted
    from aged group by 1, 2
)
select d.*, exists (
    select from alerts a where a.kind = 'drift ' || d.country
      and a.began_at < e.until - d.ago * interval '1 day'
      and coalesce(a.ended_at, e.now) > e.until - (d.ago + 1) * interval '1 day'
) as alarmed
from days d, ended e order by 1, 2
"""  # noqa: S608 (ours)
TODAY = f"""
with {CLOCK}
select h.country, sum(h.sends)::int, sum(h.converted)::int
from country_hours h, clock
where h.hour >= date_trunc('day', clock.now, 'UTC') and h.country <> '' group by 1
"""  # noqa: S608 (ours)


class CountryWatch:
    """One process's watch over all countries."""

    def __init__(
        self, pool: Pool, countries: Countries, policy: Policy, now: Callable[[], datetime | None] = lambda: None,
        every: float = LOOK_EVERY,
    ) -> None:  # fmt: skip
        """`now`: as in Store; `policy`: that of clients without their own."""
        self._pool = pool
        self._countries = countries
        self._policy = policy
        self._now = now
        self._every = every
        self._looked = self._read = float("-inf")
        self._found: dict[str, str] = {}
        self._shown: set[tuple[str, str]] = set()

    async def find(self) -> dict[str, str]:
        """Return a sentence for each country that rings, by the incident's kind. Raises Unavailable."""
        if time.monotonic() - self._looked >= self._every:
            self._looked = time.monotonic()
            self._found = await self._find_drifts() | await self._find_unconverted()
        return self._found

    async def keep_up(self, kinds: Iterable[str], *, alarmed: bool = True, waived: bool = True) -> None:
        """Read what this process has to know of countries; `kinds`: of the incidents that are open.

        `alarmed`, `waived`: as in Countries.read_alarms.
        """
        if time.monotonic() - self._read >= self._every:
            await self._countries.read_usual()
            self._read = time.monotonic()
        await self._countries.read_alarms(alarmed=alarmed, waived=waived)
        named = (kind.split(" ") for kind in kinds)
        shown = {(words[0], words[1]) for words in named if words[0] in KINDS}
        for kind, country in shown | self._shown:
            telemetry.COUNTRY_ALARM_OPEN.labels(kind, country).set(float((kind, country) in shown))
        self._shown |= shown

    async def _find_drifts(self) -> dict[str, str]:
        days: dict[str, list[DayCounts]] = defaultdict(list)
        for country, ago, sends, converted, late, late_converted, alarmed in await self._pool.fetch(
            HOURS, self._now(), SETTLED
        ):
            counts = Counts(sends, min(sends, converted)), Counts(late, min(late, late_converted))
            days[country].append(DayCounts(ago, *counts, alarmed))
        rules = self._policy.alerts
        found = {country: find_drift(one, rules) for country, one in days.items()}
        return {f"drift {country}": word_drift(country, drift) for country, drift in found.items() if drift is not None}

    async def _find_unconverted(self) -> dict[str, str]:
        found = {}
        for country, sends, converted in await self._pool.fetch(TODAY, self._now()):
            usual = self._countries.usual.get(country)
            most = most_unconverted(self._policy.budgets, country, usual)
            if most is None:
                continue
            lost = sends - converted * (usual.worth if usual is not None else 1.0)
            if lost >= most:
                found[f"unconverted {country} spent"] = word_unconverted(country, lost, most, spent=True)
            elif lost >= MUCH * most:
                found[f"unconverted {country}"] = word_unconverted(country, lost, most, spent=False)
        return found


def word_drift(country: str, drift: Drift) -> str:
    """Say what fell by how much, and what to do."""
    sends, converted = drift.now
    span = "within a day" if drift.hours == DAY else f"within {drift.hours} hours"
    return (
        f"{country}: {converted:,} of {sends:,} codes entered {span} ({converted / sends:.0%}), usually "
        f'{drift.usual:.0%}. Clients with step_up = "captcha" are now asked for one for this country. Look at its '
        f"requests (GET /v1/operator/summary): if a range stands out, block it; if codes do not arrive, ask Telnyx."
    )


def word_unconverted(country: str, lost: float, most: float, *, spent: bool) -> str:
    """Say how much of the day's insurance is used, and what to do."""
    now = "nothing more is sent there until midnight UTC" if spent else f"at {most:,.0f} nothing more is sent that day"
    return (
        f"{country}: {lost:,.0f} codes of today (UTC) were not entered beyond what is usual; {now}. If these are "
        f"people, exempt the country from budget_unconverted (verify-gateway exemptions set --country {country}), or "
        f"set budgets.unconverted_countries; if not, block the ranges that stand out."
    )
