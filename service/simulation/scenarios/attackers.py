"""An attacker's means: addresses and devices that take turns, and the pace of requests.

Called by every attack. Knows no numbers: each attack chooses its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle
from types import MappingProxyType
from typing import Any

import msgspec

from service.simulation.population.dice import Dice
from service.simulation.population.habits import HOUR
from service.simulation.population.world import World
from service.simulation.trace import TraceDevice, TraceLine

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Attacker:
    """Somebody who requests codes that nobody will enter.

    Addresses and devices take turns, so that each is used as rarely as possible; each device has its own account.
    The devices look clean (an anti-detect browser) unless a line says otherwise.
    """

    def __init__(self, name: str, dice: Dice, addresses: list[str], devices: int) -> None:
        """Prepare `devices` devices behind these addresses. `name` completes the label."""
        self._label = f"attack:{name}"
        self._dice = dice
        self._addresses = cycle(addresses)
        self._devices = cycle([(dice.letters(20), dice.letters(8)) for _ in range(devices)])

    def ask(self, t: float, number: str, *, event: Mapping[str, Any] = NOTHING, **changes: Any) -> TraceLine:
        """Return one request; `changes` to the line, and `event`: changes to its device event."""
        address, (visitor, account) = next(self._addresses), next(self._devices)
        device = TraceDevice(
            visitor_id=visitor,
            event_id=self._dice.letters(10),
            ip_address=address,
            suspect_score=self._dice.integer(0, 8),
            age=round(self._dice.between(0.5, 4), 3),
        )
        line = TraceLine(
            t=round(t, 3),
            label=self._label,
            phone_number=number,
            ip_address=address,
            account_id=account,
            device=msgspec.structs.replace(device, **event),
            verifies=False,
        )
        return msgspec.structs.replace(line, **changes)


def rent_homes(world: World, dice: Dice, count: int, country: str | None = None) -> list[str]:
    """Draw addresses of a proxy service that goes through homes, one in five of them IPv6."""
    homes = [world.addresses[country or world.pick(dice)] for _ in range(count)]
    return [home.home_v6(dice) if dice.chance(0.2) else home.home(dice) for home in homes]


def pace(dice: Dice, begin: float, rate: float) -> Iterator[float]:
    """Yield times in seconds from `begin` hours on, `rate` an hour, as a program with random pauses makes them."""
    t = begin * HOUR
    while True:
        yield t
        t += HOUR / rate * dice.between(0.5, 1.5)
