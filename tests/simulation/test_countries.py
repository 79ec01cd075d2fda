"""A played trace rings where pumping hides in a country's day, as the gateway would, and not among people alone."""

from __future__ import annotations

from service.db.engine import Database
from service.policy.loading import parse
from service.simulation.player import Player
from service.simulation.trace import TraceLine

DAY = 86_400
# Nothing but the country is looked at: every other rule and limit lets everybody through.
OPEN = parse(
    '[countries]\nallow = ["US"]\n'
    + "".join(
        f'[rules.{name}]\nmode = "observe"\n'
        for name in ("range", "sequential", "burst", "country_conversion", "ip_conversion", "unverified_share")
    )
).default
A_DAY = 110


def make_people(days: int) -> list[TraceLine]:
    """Make people who come all day, every day; seven in ten enter their code."""
    return [
        TraceLine(
            t=day * DAY + place * DAY / A_DAY, phone_number=f"+1312{200 + day}{place * 71 + 1000:04}",
            ip_address=f"198.51.{day}.{place}", account_id=f"{day} {place}", verifies=place % 10 < 7,
        )
        for day in range(days)
        for place in range(A_DAY)
    ]  # fmt: skip


def make_pump(day: int) -> list[TraceLine]:
    return [
        TraceLine(
            t=day * DAY + place * DAY / A_DAY + 60, label="attack:hidden", verifies=False,
            phone_number=f"+1415{200 + place}{place * 71 + 1000:04}", ip_address=f"203.0.{place}.7",
            account_id=f"pump {place}",
        )
        for place in range(A_DAY)
    ]  # fmt: skip


async def test_pumping_that_no_rule_sees_rings_within_its_day_and_people_alone_do_not(database: Database) -> None:
    player = Player(database, OPEN)
    played = [outcome async for _, outcome in player.play([*make_people(4), *make_pump(3)])]
    assert {outcome.result for outcome in played} == {"sent"}
    [alarm] = player.alarms
    assert alarm.kind == "drift US"
    assert 3 * DAY < alarm.t < 4 * DAY
    assert "usually 7" in alarm.text
