"""What a send costs by the policy's price list, and how it is booked.

Called by fraud.judge, operators.backtesting.backtest and simulation. Pure. Figures are those of the price list; what
Telnyx bills may differ.
"""

from __future__ import annotations

import msgspec

from service.channels import Channel
from service.fraud.facts import Facts
from service.policy.model import Policy
from service.policy.spending import Budgets

# The share of sends that is taken to convert in a country of which nothing is known yet.
USUAL_SHARE = 0.5
# The finding of resolve_v5 where too many of a country's sends went out for nothing.
INSURANCE = "budget_unconverted"


class Booking(msgspec.Struct, frozen=True):
    """One line of the ledger. `price`: in the list's currency; `of_country`, `of_all`: daily budgets, if any.

    `most_unconverted`: how many of the country's sends of the day may go out for nothing, if that is limited; for how
    many of them one code that was entered accounts is `worth`.
    """

    client_id: int
    country: str
    channel: Channel
    price: float
    of_country: float | None
    of_all: float | None
    most_unconverted: float | None = None
    worth: float = 1.0


def add(amount: float, price: float) -> float:
    """Add a price, to a millionth: 0.112 remains 0.112, however many are added."""
    return round(amount + price, 6)


def price_of(policy: Policy, country: str | None, channel: Channel) -> float:
    """Return the price of a send: the country's own for this channel, else the list's for all others."""
    own = policy.prices.countries.get(country or "", {})
    return own.get(channel, policy.prices.by_channel[channel])


class Usual(msgspec.Struct, frozen=True):
    """What is usual in a country: the sends of its busiest day, and for how many sends one entered code accounts."""

    busiest: int
    worth: float


def most_unconverted(budgets: Budgets, country: str, usual: Usual | None) -> float | None:
    """Return how many sends of a day may go out for nothing; None where that is not limited."""
    own = budgets.unconverted_countries.get(country)
    if own is not None:
        return own or None
    if usual is None or not budgets.unconverted_times_busiest:
        return None
    return max(float(budgets.unconverted_least), budgets.unconverted_times_busiest * usual.busiest)


def book(
    policy: Policy, client_id: int, facts: Facts, channel: Channel, usual: Usual | None = None, *, insured: bool = True
) -> Booking:
    """Return the ledger line of one send; not `insured`: it may go out for nothing."""
    country, budgets = facts.number.country or "", policy.budgets
    of_country = budgets.countries.get(country, budgets.each_country)
    return Booking(
        client_id, country, channel, price_of(policy, country, channel), of_country or None, budgets.everything or None,
        most_unconverted(budgets, country, usual) if insured else None,
        usual.worth if usual else 1 / USUAL_SHARE,
    )  # fmt: skip
