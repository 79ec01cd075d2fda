"""The knobs of ordinary traffic, and the hours at which people are awake.

Read by people and the scenarios. Each scenario has one Habits, so that attacks can be tried among other people.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from service.simulation.population.countries import AWAKE, COUNTRIES
from service.simulation.population.dice import Dice, Wheel

DAY = 86400.0
HOUR = 3600.0
EVERYWHERE = tuple(COUNTRIES)

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Size = Annotated[int, msgspec.Meta(ge=0)]
Some = Annotated[int, msgspec.Meta(ge=1)]
Hours = Annotated[float, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Digits = Annotated[int, msgspec.Meta(ge=1, le=6)]


class Habits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people do. A trace begins at midnight UTC.

    `visits`: people who want a code, a day; a country's `conversion` decides how many get and enter it.
    Shares of them: `resend` request again; `mistype` enter a wrong code first; `returning` were here before; `mobile`
    come through a carrier's shared address, `vpn` through a VPN service's; `ipv6` have it; `deviceless` send no device
    event; `calls` want a call. Rarely, and innocently: `slow` ones leave the page open for minutes, `odd` ones look
    suspect, `relayed` ones show the device check another address than the product's backend.
    Crowds in a trace: `offices` share an address; `companies` also have consecutive numbers, and `staff` who sign up
    within one morning; `families` have neighbouring numbers; `launch` people of one town come within three hours;
    for an hour one country is `push` times as busy.
    """

    days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 1
    visits: Size = 7000
    countries: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = EVERYWHERE
    resend: Share = 0.1
    mistype: Share = 0.08
    returning: Share = 0.05
    mobile: Share = 0.45
    vpn: Share = 0.03
    ipv6: Share = 0.4
    deviceless: Share = 0.03
    calls: Share = 0.02
    slow: Share = 0.0005
    odd: Share = 0.0005
    relayed: Share = 0.001
    offices: Size = 25
    companies: Size = 4
    staff: Size = 20
    families: Size = 60
    launch: Size = 250
    push: Annotated[float, msgspec.Meta(ge=1)] = 2.0


_HOURS = Wheel(list(enumerate(AWAKE)))


def waking_time(habits: Habits, offset: float, dice: Dice) -> float:
    """Draw when somebody comes, `offset` hours ahead of UTC: more in the evening, hardly any at night."""
    return local_time(habits, offset, _HOURS.draw(dice) + dice.number(), dice)


def local_time(habits: Habits, offset: float, hour: float, dice: Dice) -> float:
    """Return the second of the trace at which it is `hour` o'clock there, on any of its days."""
    return dice.integer(0, habits.days - 1) * DAY + (hour - offset) % 24 * HOUR


def busy_part(hour: int) -> float:
    """Return the share of a day's visits in an hour of the local day."""
    return AWAKE[hour] / sum(AWAKE)
