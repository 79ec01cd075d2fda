"""People: who they are, and what one of their visits looks like to the gateway.

Called by scenarios.ordinary and scenarios.crowds. All of these lines are legitimate: it is a mistake to stop one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from service.channels import Channel
from service.simulation.population.addresses import vpn_exit
from service.simulation.population.dice import Dice, Wheel
from service.simulation.population.habits import Habits
from service.simulation.population.numbering import draw_of_kind
from service.simulation.population.world import World
from service.simulation.trace import TraceDevice, TraceLine

AGAIN = 0.15  # the share of those who requested twice that request once more
FRESH = 110.0  # seconds for which a page goes on with the device event that it has
LANDLINE = 0.15  # the share of those who want a call
SCORES: Wheel[int] = Wheel([(0, 0.75), (1, 0.07), (2, 0.05), (3, 0.04), (5, 0.04), (7, 0.03), (10, 0.015), (13, 0.005)])
MISTAKES: Wheel[int] = Wheel([(1, 0.75), (2, 0.19), (3, 0.05), (4, 0.01)])


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a telephone. `seen_at`: the address that the device check saw."""

    number: str
    address: str
    seen_at: str
    account: str | None
    visitor: str | None
    score: int
    channel: Channel


def meet(world: World, habits: Habits, code: str, dice: Dice, *, number: str = "", address: str = "") -> Person:
    """Draw a person from a country, with the number or address given, if any."""
    calls = not number and dice.chance(habits.calls)
    if calls and dice.chance(LANDLINE):
        number = draw_of_kind(dice, code, "fixed") or ""
    address = address or _address(world, habits, code, dice)
    return Person(
        number=number or world.numbers[code].draw(dice),
        address=address,
        seen_at=_seen_at(world, habits, code, address, dice),
        account=dice.letters(8) if dice.chance(0.9) else None,
        visitor=None if dice.chance(habits.deviceless) else dice.letters(20),
        score=dice.integer(21, 30) if dice.chance(habits.odd) else SCORES.draw(dice),
        channel="call" if calls else "sms",
    )


def visit(person: Person, habits: Habits, t: float, dice: Dice, *, converts: bool) -> Iterator[TraceLine]:
    """Yield a person's requests for a code, repeated if it seems lost; they enter the last one if `converts`."""
    asks = 1 + dice.chance(habits.resend)
    asks += asks > 1 and dice.chance(AGAIN)
    channel, device = person.channel, _event(person, habits, dice)
    for left in range(asks - 1, -1, -1):
        yield _ask(person, habits, t, channel, device, dice, converts=converts and not left)
        gap = round(35 + min(dice.waiting(30), 120), 3)
        t += gap
        device = _next_event(person, habits, device, gap, dice)
        channel = "call" if dice.chance(0.2) else channel


def _ask(
    person: Person,
    habits: Habits,
    t: float,
    channel: Channel,
    device: TraceDevice | None,
    dice: Dice,
    *,
    converts: bool,
) -> TraceLine:
    wrong = MISTAKES.draw(dice) if dice.chance(habits.mistype) else 0
    return TraceLine(
        t=round(t, 3),
        phone_number=person.number,
        ip_address=person.address,
        account_id=person.account,
        device=device,
        channel=channel,
        verifies=converts,
        verify_after=round(6 + min(dice.waiting(18), 200) + 15 * wrong, 1),
        wrong_codes=wrong,
    )


def _event(person: Person, habits: Habits, dice: Dice) -> TraceDevice | None:
    if person.visitor is None:
        return None
    age = dice.between(5, 60) if dice.chance(0.2) else 0.4 + min(dice.waiting(2), 20)
    return TraceDevice(
        visitor_id=person.visitor,
        event_id=dice.letters(10),
        ip_address=person.seen_at,
        suspect_score=person.score,
        age=round(dice.between(150, 900) if dice.chance(habits.slow) else age, 3),
    )


def _next_event(
    person: Person, habits: Habits, device: TraceDevice | None, gap: float, dice: Dice
) -> TraceDevice | None:
    """Return the event of the next request: the same or a new one; after a while always a new one."""
    if device is not None and device.age + gap < FRESH and dice.chance(0.5):
        return msgspec.structs.replace(device, age=round(device.age + gap, 3))
    return _event(person, habits, dice)


def _address(world: World, habits: Habits, code: str, dice: Dice) -> str:
    if dice.chance(habits.vpn):
        return vpn_exit(dice)
    addresses = world.addresses[code]
    if dice.chance(habits.ipv6):
        return addresses.home_v6(dice)
    return addresses.tower(dice) if dice.chance(habits.mobile) else addresses.home(dice)


def _seen_at(world: World, habits: Habits, code: str, address: str, dice: Dice) -> str:
    """Return the address that the device check sees: with IPv6, one in ten uses IPv4; a relay shows any other."""
    if dice.chance(habits.relayed) or (":" in address and dice.chance(0.1)):
        return world.addresses[code].tower(dice)
    return address
