"""What a send costs by the policy's price list, and how it is booked.

Called by fraud.judge, operators.backtest and simulation. Pure. Figures are those of the price list; what Telnyx bills
may differ.
"""

from __future__ import annotations

import msgspec

from service.channels import Channel
from service.fraud.facts import Facts
from service.policy.model import Policy


class Booking(msgspec.Struct, frozen=True):
    """One line of the ledger. `price`: in the list's currency; `of_country`, `of_all`: daily budgets, if any."""

    client_id: int
    country: str
    channel: Channel
    price: float
    of_country: float | None
    of_all: float | None


def add(amount: float, price: float) -> float:
    """Add a price, to a millionth: 0.112 remains 0.112, however many are added."""
    return round(amount + price, 6)


def price_of(policy: Policy, country: str | None, channel: Channel) -> float:
    """Return the price of a send: the country's own for this channel, else the list's for all others."""
    own = policy.prices.countries.get(country or "", {})
    return own.get(channel, policy.prices.by_channel[channel])


def book(policy: Policy, client_id: int, facts: Facts, channel: Channel) -> Booking:
    """Return the ledger line of one send."""
    country, budgets = facts.number.country or "", policy.budgets
    of_country = budgets.countries.get(country, budgets.each_country)
    return Booking(
        client_id, country, channel, price_of(policy, country, channel), of_country or None, budgets.everything or None
    )
