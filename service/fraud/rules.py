"""The rules: small pure functions from facts to a finding, or to none.

Called by fraud.decision, in the order of RULES. They do no I/O and read no clock. A finding says what was
seen, never the number itself.
"""

from __future__ import annotations

from collections.abc import Callable

from service.fraud.facts import Facts
from service.fraud.policy import Policy

Rule = Callable[[Facts, Policy], str | None]


def judge_number(facts: Facts, policy: Policy) -> str | None:
    """Object to numbers outside the numbering plan, and to kinds that cost their caller."""
    if not facts.number.valid:
        return "not a valid number"
    if facts.number.kind in policy.rules.number.kinds:
        return f"kind {facts.number.kind}"
    return None


def judge_country(facts: Facts, policy: Policy) -> str | None:
    """Object to a country that is not served, in general or by this channel."""
    countries = policy.countries
    own = getattr(countries, facts.channel)
    if facts.number.country not in countries.allow or (own is not None and facts.number.country not in own):
        return f"country {facts.number.country} by {facts.channel}"
    return None


RULES: dict[str, Rule] = {"number": judge_number, "country": judge_country}
