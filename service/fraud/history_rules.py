"""The rules on histories: numbers too close, codes unread, addresses that ask for everybody.

Called through fraud.rules. Pure: the mathematics is in fraud.histories, the numbers are the policy's.
"""

from __future__ import annotations

from service.fraud import histories
from service.fraud.facts import Facts
from service.fraud.histories import RANGES, History
from service.fraud.policy import Policy

BLOCK = 10_000


def judge_block(facts: Facts, _: Policy) -> str | None:
    """Object while a block is in force on any of the subjects."""
    held = [kind for kind, history in facts.histories.items() if history.block is not None]
    return f"blocked: {', '.join(held)}" if held else None


def judge_sequential(facts: Facts, policy: Policy) -> str | None:
    """Object to numbers that lie closer than chance, or follow at one distance."""
    history, rule = facts.histories.get("block_10k"), policy.rules.sequential
    if history is None:
        return None
    unlikely = histories.aligned(history, BLOCK)
    if unlikely > rule.above:
        return f"chance 1e-{unlikely:.0f}"
    run = histories.stride(history)
    return f"{run} at one distance" if run >= rule.stride else None


def judge_range(facts: Facts, policy: Policy) -> str | None:
    """Object to a range whose codes are not read, or that is crowded, or both."""
    found = [
        f"{kind} {evidence:.1f}"
        for kind, evidence in range_evidence(facts, policy).items()
        if evidence > policy.rules.range.above
    ]
    return ", ".join(found) or None


def range_evidence(facts: Facts, policy: Policy) -> dict[str, float]:
    """Return the evidence (nats) in each of a number's ranges."""
    rule, usual = policy.rules.range, histories.usual_reads(facts.histories.get("country"))
    return {
        kind: histories.unread(history, usual) + histories.crowded(history, getattr(rule, kind), rule.crowd)
        for kind, history in facts.histories.items()
        if kind in RANGES
    }


def judge_country_spike(facts: Facts, policy: Policy) -> str | None:
    """Object to a country whose unread codes of a day are over all three measures."""
    history, rule = facts.histories.get("country"), policy.rules.country_spike
    if history is None:
        return None
    unread = history.day_sends - history.day_good
    if unread <= max(rule.least, rule.of_peak * history.peak, rule.of_read * history.day_good):
        return None
    return f"{unread:.0f} unread in a day"


def judge_country_conversion(facts: Facts, policy: Policy) -> str | None:
    """Object to a country whose codes are no longer read."""
    country = facts.histories.get("country")
    return _unread(country, histories.usual_reads(country), policy.rules.country_conversion.above)


def judge_ip_conversion(facts: Facts, policy: Policy) -> str | None:
    """Object to an address whose codes are not read."""
    usual = histories.usual_reads(facts.histories.get("country"))
    return _unread(facts.histories.get("ip"), usual, policy.rules.ip_conversion.above)


def judge_many_countries(facts: Facts, policy: Policy) -> str | None:
    """Object to an address that asks for numbers of many countries."""
    history = facts.histories.get("ip")
    count = histories.countries_of(history) if history else 0
    return f"{count} countries" if count > policy.rules.many_countries.above else None


def _unread(history: History | None, usual: float, above: float) -> str | None:
    evidence = histories.unread(history, usual) if history else 0.0
    return f"evidence {evidence:.1f}" if evidence > above else None
