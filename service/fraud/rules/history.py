"""The rules on histories: numbers too close together, unconverted sends, sources that request many numbers.

Called through fraud.stages. Pure: the mathematics is in fraud.histories.evidence and fraud.histories.sequences;
thresholds are policy.
"""

from __future__ import annotations

import math

from service.fraud.facts import Facts
from service.fraud.histories import history as histories
from service.fraud.histories import sequences
from service.fraud.histories.evidence import (
    ATTACK_CONVERSION,
    BELOW_COUNTRY,
    HARDLY_ANY_CONVERSION,
    HEALTHY_RANGE,
    OLD,
    RECENT,
    Measure,
    crowded,
    threshold,
    unconverted_evidence,
    usual_conversion,
)
from service.fraud.histories.history import BLOCK, PARTS, RANGES
from service.policy.model import Policy, SourceRule

# With less evidence than one unconverted send (nats), a country's alarm adds nothing.
ONE_UNCONVERTED = 0.7
# The share of a country's alarm that counts against a range: the largest ranges have people of all sorts.
ALARMED = {"block_1m": 1 / 3}


def judge_block(facts: Facts, _: Policy) -> str | None:
    """Object while a block is in force on any subject; for a known number, only if an operator set it."""
    held = [kind for kind, history in facts.histories.items() if history.block is not None]
    holding = [kind for kind in held if facts.histories[kind].firm or not _is_spared(facts, kind)]
    return f"blocked: {', '.join(holding)}" if holding else None


def judge_sequential(facts: Facts, policy: Policy) -> str | None:
    """Object to numbers closer together than by chance, or at equal distances."""
    history, rule = facts.histories.get("block_10k"), policy.rules.sequential
    if history is None:
        return None
    unlikely = sequences.aligned(history, BLOCK, rule.above)
    if unlikely > rule.above:
        return f"chance 1e-{unlikely:.0f}"
    run = sequences.stride(history, BLOCK)
    return f"{run} at one distance" if run >= rule.stride else None


def judge_range(facts: Facts, policy: Policy) -> str | None:
    """Object to a range whose sends do not convert."""
    found = [f"{kind} {evidence:.1f}" for kind, evidence in guilty_ranges(facts, policy).items()]
    return ", ".join(found) or None


def guilty_ranges(facts: Facts, policy: Policy) -> dict[str, float]:
    """Return a number's ranges with more evidence (nats) against them than the rule allows."""
    rule, usual = policy.rules.range, _usual(facts)
    found = {}
    for kind in RANGES:
        if (history := facts.histories.get(kind)) is None or _is_spared(facts, kind):
            continue
        measure = Measure(rule.above, usual, ATTACK_CONVERSION, PARTS.get(kind, 0), rule.part)
        if (evidence := unconverted_evidence(history, measure)) < rule.least:
            continue
        needed = threshold(history, rule.above, HEALTHY_RANGE)
        crowd = crowded(history, getattr(rule, kind), rule.crowd)
        if (whole := _add(facts, policy, evidence, crowd, needed, ALARMED.get(kind, 1.0))) > needed:
            found[str(kind)] = whole
    return found


def judge_country_spike(facts: Facts, policy: Policy) -> str | None:
    """Object to a country whose unconverted sends of a day exceed all three measures."""
    history, rule = facts.histories.get("country"), policy.rules.country_spike
    if history is None:
        return None
    unconverted = history.day_sends - history.day_converted
    if unconverted <= max(rule.least, rule.of_peak * history.peak, rule.of_read * history.day_converted):
        return None
    return f"{unconverted:.0f} unconverted in a day"


def judge_country_conversion(facts: Facts, policy: Policy) -> str | None:
    """Object to a country in which hardly any send converts, unless the number, its address or its range is spared."""
    history = facts.histories.get("country")
    if history is None or _is_spared(facts, "country"):
        return None
    evidence = _country_evidence(facts, policy)
    above = threshold(history, policy.rules.country_conversion.above)
    return f"evidence {evidence:.1f}" if evidence > above else None


def judge_ip_conversion(facts: Facts, policy: Policy) -> str | None:
    """Object to an address whose sends do not convert."""
    return _judge_source(facts, policy, "ip", policy.rules.ip_conversion, ATTACK_CONVERSION)


def judge_burst(facts: Facts, policy: Policy) -> str | None:
    """Object to a network whose addresses take turns and hardly convert, or rush and do not convert at all."""
    history = facts.histories.get("network")
    rush = histories.rush(history) if history and not _is_spared(facts, "network") else 0
    if rush > policy.rules.burst.rush:
        return f"{rush} in a minute"
    return _judge_source(facts, policy, "network", policy.rules.burst, HARDLY_ANY_CONVERSION)


def judge_unverified_share(facts: Facts, policy: Policy) -> str | None:
    """Object to an address that requested many numbers in a day, nearly all unconverted."""
    history, rule = facts.histories.get("ip"), policy.rules.unverified_share
    asked, missed = histories.numbers_of(history, OLD) if history else (0, 0)
    return f"{missed} of {asked} unconverted" if asked >= rule.least and missed > rule.above * asked else None


def judge_device_numbers(facts: Facts, policy: Policy) -> str | None:
    """Object to a device that requested many numbers in a day, all unconverted."""
    history = facts.histories.get("device")
    missed = histories.numbers_of(history)[1] if history else 0
    return f"{missed} numbers" if missed > policy.rules.device_numbers.above else None


def judge_many_countries(facts: Facts, policy: Policy) -> str | None:
    """Object to an address that requested numbers of many countries, unconverted."""
    history = facts.histories.get("ip")
    count = histories.countries_of(history) if history else 0
    return f"{count} countries" if count > policy.rules.many_countries.above else None


def _judge_source(facts: Facts, policy: Policy, kind: str, rule: SourceRule, attack: float) -> str | None:
    history = facts.histories.get(kind)
    if history is None or _is_spared(facts, kind):
        return None
    # Of a source with many requests a second, only young ones are kept.
    evidence = unconverted_evidence(history, Measure(rule.above, _usual(facts), attack, first=0))
    needed, crowd = threshold(history, rule.above), crowded(history, rule.an_hour, rule.crowd)
    share = 1.0 if evidence > ONE_UNCONVERTED and history.lifted is None else 0.0
    whole = _add(facts, policy, evidence, crowd, needed, share)
    return f"evidence {whole:.1f}" if whole > needed else None


def _add(facts: Facts, policy: Policy, evidence: float, crowd: float, needed: float, share: float) -> float:
    """Add crowding or a share of the alarm, whichever is more; the alarm, which costs most, only if it can decide."""
    if evidence + crowd > needed or evidence + share * policy.rules.country_conversion.alarm <= needed:
        return evidence + crowd
    return evidence + max(crowd, share * _alarm(facts, policy))


def _alarm(facts: Facts, policy: Policy) -> float:
    """Return what a pumped country adds (nats) to the evidence against its ranges and sources."""
    rule = policy.rules.country_conversion
    return min(rule.alarm, max(0.0, _country_evidence(facts, policy, RECENT) - rule.calm))


def _country_evidence(facts: Facts, policy: Policy, oldest: float = math.inf) -> float:
    history, rule = facts.histories.get("country"), policy.rules.country_conversion
    if history is None:
        return 0.0
    measure = Measure(
        rule.above, _usual(facts), HARDLY_ANY_CONVERSION, PARTS["country"], rule.part, BELOW_COUNTRY, oldest
    )
    return unconverted_evidence(history, measure)


def _usual(facts: Facts) -> float:
    return usual_conversion(facts.histories.get("country"))


def _is_spared(facts: Facts, kind: str) -> bool:
    """Return whether a send is not judged by this subject: its number, its address or its range has converted."""
    block, ip = facts.histories.get("block_10k"), facts.histories.get("ip")
    if kind != "device" and block is not None and histories.is_known(block):
        return True
    if kind in ("network", "country") and ip is not None and any(ip.converted):
        return True
    return kind == "country" and _is_range_converting(facts)


def _is_range_converting(facts: Facts) -> bool:
    """Return whether the smallest of a number's ranges with any converted send converts."""
    ranges = [facts.histories[kind] for kind in RANGES if kind in facts.histories]
    smallest = next((history for history in ranges if any(history.converted)), None)
    return smallest is not None and histories.is_converting(smallest)
