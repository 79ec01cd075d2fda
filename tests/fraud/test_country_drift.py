"""A country whose codes are entered less than in its fortnight rings within the day, and one as usual does not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from service.db.engine import Database
from service.policy import loading
from service.sandbox.faults import Fault
from service.worker.alarms import LOOK_EVERY
from service.worker.drift import Counts, DayCounts, Drift, find_drift
from tests.support.alarms import open_channel
from tests.support.countries import PUMPED, USUAL, fill_hours, pump
from tests.support.fraud import findings_of
from tests.support.gateway import Gateway, read_code, run_gateway
from tests.support.waiting import until

RULES = loading.parse("").default.alerts
# Sends of each hour of a day, in shares of the mean: nights are quiet.
HOURS = [0.3, 0.2, 0.15, 0.15, 0.2, 0.3, 0.6, 0.9, 1.1, 1.2, *[1.4] * 8, 1.6, 1.7, 1.6, 1.3, 0.9, 0.6]
Hour = tuple[int, int]


async def counts_of(gateway: Gateway, country: str = "US") -> tuple[int, int]:
    row = await gateway.database.pool.fetchrow(
        "select coalesce(sum(sends), 0)::int, coalesce(sum(converted), 0)::int from country_hours where country = $1",
        country,
    )
    return (row[0], row[1]) if row is not None else (0, 0)


async def test_pumping_hidden_in_a_days_traffic_rings_once_with_the_counts_in_a_sentence(
    database_url: str, database: Database
) -> None:
    await pump(database)
    await fill_hours(database, "CA", USUAL, days=(15, 0))
    await fill_hours(database, "NG", USUAL, days=(15, 1), an_hour=3)
    await fill_hours(database, "NG", 0.0, days=(1, 0), an_hour=3)
    async with open_channel() as channel, run_gateway(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway:
        [text] = await channel.wait_for(1)
        assert text.startswith("US: 408 of 720 codes entered within a day (57%), usually 67%.")
        operator = await gateway.client("watch", scope="metrics")

        async def shown() -> bool:
            metrics = (await operator.call("GET", "/metrics")).body.decode()
            return 'verify_country_alarm_open{country="US",kind="drift"} 1.0' in metrics

        await until(shown, "the metric shows it")
        await asyncio.sleep(1.6 * LOOK_EVERY)
        assert len(channel.texts) == 1, "neither Canada, which is as usual, nor Nigeria, which is too small to tell"


async def test_codes_that_were_sent_within_the_hour_are_not_taken_for_unread(
    database_url: str, database: Database
) -> None:
    await fill_hours(database, "US", USUAL, days=(15, 0))
    await fill_hours(database, "US", 0.0, days=(0, -0.1), an_hour=5000)
    async with open_channel() as channel, run_gateway(database_url, ALERT_WEBHOOK_URL=channel.url):
        await asyncio.sleep(1.6 * LOOK_EVERY)
        assert [text for text in channel.texts if "usually" in text] == []


async def test_what_goes_out_and_what_is_entered_counts_in_its_hour_and_what_was_refused_does_not(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        for n in range(3):
            begun = await gateway.begin(f"+131255501{n:02}")
            code = await read_code(gateway, f"+131255501{n:02}")
            if not n:
                assert (await gateway.verify(begun, code)).body["verified"] is True
        await gateway.begin("+14165550100", deliver=False)
        await until(lambda: _stands(gateway, (3, 1)), "three went out, and one was entered")
        gateway.stage.faults.add(Fault(kind="refuse", operations=("send",)))
        await findings_of(gateway, await gateway.begin("+13125550177"))
        await until(lambda: _was_refused(gateway), "the refusal is recorded")
        assert await counts_of(gateway) == (3, 1)
        assert await counts_of(gateway, "CA") == (0, 0)


async def _was_refused(gateway: Gateway) -> bool:
    return bool(await gateway.database.pool.fetchval("select exists (select from sends where state = 'refused')"))


async def _stands(gateway: Gateway, counts: tuple[int, int]) -> bool:
    return await counts_of(gateway) == counts


def make_hours(
    dice: random.Random, days: int, a_day: int, spread: float, attack: range = range(0), an_hour: int = 0
) -> Iterator[Hour]:
    """Make people's hours, whose share differs by day, with an attack's hours among them."""
    for day in range(days):
        share = dice.gauss(USUAL, spread)
        for hour, weight in enumerate(HOURS):
            mean = a_day * weight / sum(HOURS)
            sends = max(0, round(dice.gauss(mean, mean**0.5)))
            converted = sum(dice.random() < share for _ in range(sends))
            yield sends + (an_hour if day * 24 + hour in attack else 0), converted


def look(hours: list[Hour], at: int) -> Drift | None:
    """Look as the watch does once so many hours are over."""
    days = [hours[at - 24 * (ago + 1) : at - 24 * ago] for ago in range(at // 24)]
    return find_drift((DayCounts(ago, _sum(day), _sum(day[-6:])) for ago, day in enumerate(days[:15])), RULES)


def _sum(hours: list[Hour]) -> Counts:
    return Counts(sum(sends for sends, _ in hours), sum(converted for _, converted in hours))


def test_people_alone_hardly_ever_ring_however_quiet_their_nights_and_however_their_days_differ() -> None:
    dice, rung, days = random.Random(7), 0, 0
    for a_day, spread in ((40, 0.0), (300, 0.0), (700, 0.02), (3000, 0.03)):
        for _ in range(4):
            hours = list(make_hours(dice, 21, a_day, spread))
            found = [look(hours, at) is not None for at in range(14 * 24, 21 * 24)]
            rung += sum(now and not before for before, now in zip([False, *found], found, strict=False))
            days += 7
    assert rung <= 0.03 * days, f"{rung} incidents on {days} days"


@pytest.mark.parametrize(("a_day", "length"), [(700, 24), (700, 12), (2000, 24)])
def test_a_fall_from_67_to_57_percent_rings_within_the_day_wherever_it_begins(a_day: int, length: int) -> None:
    dice = random.Random(8)
    more, rung = a_day * (USUAL / PUMPED - 1), 0
    for begin in range(14 * 24, 15 * 24, 3):
        hours = list(make_hours(dice, 17, a_day, 0.01, range(begin, begin + length), round(more / length)))
        rung += any(look(hours, at) is not None for at in range(begin + 1, begin + 25))
    assert rung >= 7, f"{rung} of 8"


def test_a_day_of_an_incident_is_no_part_of_what_is_usual_until_it_has_lasted_for_a_fortnight() -> None:
    calm, pumped = Counts(700, 469), Counts(800, 456)
    days = [DayCounts(ago, pumped, Counts(0, 0), alarmed=ago < 9) for ago in range(9)]
    days += [DayCounts(ago, calm, Counts(0, 0)) for ago in range(9, 15)]
    assert find_drift(days, RULES) == Drift(24, pumped, 0.67)
    forgotten = [one._replace(alarmed=False) for one in days]
    assert find_drift(forgotten, RULES) is None
    assert find_drift([DayCounts(ago, pumped, Counts(0, 0), alarmed=True) for ago in range(15)], RULES) is None
