"""What sends cost, and what may be spent on them.

Read by policy.model and fraud.money. Does no I/O and decides nothing.
"""

from __future__ import annotations

import msgspec

from service.channels import Channel


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price list: its source and date, and the prices of countries without their own."""

    currency: str
    source: str
    dated: str
    by_channel: dict[Channel, float]
    countries: dict[str, dict[Channel, float]]


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be spent in a day (UTC), in the currency of the prices; 0 means no budget.

    `unconverted_…`: how many sends of a day to one country may go out for nothing, as fraud.countries counts them.
    """

    everything: float
    each_country: float
    countries: dict[str, float]
    unconverted_times_busiest: float
    unconverted_least: int
    unconverted_countries: dict[str, float]
