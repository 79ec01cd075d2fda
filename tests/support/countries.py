"""A country's fortnight, as if it had been sent to, and a gateway whose country's alarm is up.

Used by the tests of what is watched by country.
"""

from __future__ import annotations

from service.db.engine import Database
from tests.support.gateway import Gateway
from tests.support.waiting import until

FILL = """
insert into country_hours (country, hour, sends, converted)
select $1, date_trunc('hour', now(), 'UTC') - make_interval(hours => h), $4::int, round($4::int * $5::float8)
from generate_series($2::int, $3::int - 1) as h
on conflict (country, hour) do update set sends = excluded.sends, converted = excluded.converted
"""
ALARMED = "select exists (select from alerts where kind = $1 and ended_at is null)"
USUAL, PUMPED = 0.67, 0.57
# Hours ago at which the last whole day ends: the hours of younger codes are not looked at.
LATEST = 1


async def fill_hours(
    database: Database, country: str, share: float, *, days: tuple[float, float], an_hour: int = 30
) -> None:
    """Have so many codes an hour sent to a country, from so many days ago until so many, and this share entered."""
    begin, end = (LATEST + round(24 * day) for day in days)
    await database.pool.execute(FILL, country, end, begin, an_hour, share)


async def pump(database: Database, country: str = "US") -> None:
    """Have a country's codes entered as usual for a fortnight, and less for a day."""
    await fill_hours(database, country, USUAL, days=(15, 0))
    await fill_hours(database, country, PUMPED, days=(1.2, -0.1))


async def wait_for_alarm(gateway: Gateway, kind: str = "drift US") -> None:
    """Wait until an incident is open, and until this process knows of it: what tells of it comes before."""
    await until(lambda: gateway.database.pool.fetchval(ALARMED, kind), f"{kind} rings")
