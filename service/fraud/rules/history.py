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
    OLD,
    RECENT,
    Measure,
    threshold,
    unconverted_evidence,
    usual_conversion,
)
from service.fraud.histories.history import BLOCK, PARTS, RANGES
from service.policy.model import Policy
from service.policy.rules import SourceRule

# With less evidence than one unconverted send (nats), a country's alarm adds nothing.
ONE_UNCONVERTED = 0.7
# After so many codes in a row that were not entered, a number that was verified is judged as any other.
MOST_IN_A_ROW = 3
# The share of a country's alarm that counts against a range: the largest ranges have people of all sorts.
ALARMED = {"block_1m": 1 / 3}
# The ranges that are small enough for a rush to be no crowd of people.
RUSHED = ("block_10k", "block_100k")


def judge_block(facts: Facts, policy: Policy) -> str | None:
    """Object while a block is in force on any subject; for a known number, only if an operator set it."""
    held = [kind for kind, history in facts.histories.items() if history.block is not None]
    held = [kind for kind in held if not _is_stepped_up(facts, policy, kind)]
    holding = [kind for kind in held if facts.histories[kind].firm or not _is_spared(facts, kind)]
    return f"blocked: {', '.join(holding)}" if holding else None


def judge_number_unconverted(facts: Facts, policy: Policy) -> str | None:
    """Object to a number that was verified before and now leaves a day's codes unread, as a pumped one does."""
    unconverted = facts.codes.of_a_day
    return f"{unconverted} codes of a day not entered" if unconverted >= policy.rules.number_unconverted.codes else None


def judge_sequential(facts: Facts, policy: Policy) -> str | None:
    """Object to numbers closer together than by chance, or at equal distances."""
    history, rule = facts.histories.get("block_10k"), policy.rules.sequential
    if history is None or histories.is_converting(history):
        return None
    unlikely = sequences.aligned(history, BLOCK, rule.above_log10)
    if unlikely > rule.above_log10:
        return f"chance 1e-{unlikely:.0f}"
    run = sequences.stride(history, BLOCK)
    return f"{run} at one distance" if run >= rule.numbers_at_one_distance else None


def judge_range(facts: Facts, policy: Policy) -> str | None:
    """Object to a range whose sends do not convert, or into which many rush."""
    rushes = {kind: count for kind in RUSHED if (count := _rush(facts, kind)) > policy.rules.range.above_per_minute}
    found = [f"{kind} {evidence:.1f}" for kind, evidence in guilty_ranges(facts, policy).items()]
    return ", ".join(found or [f"{kind} {count} in a minute" for kind, count in rushes.items()]) or None


def guilty_ranges(facts: Facts, policy: Policy) -> dict[str, float]:
    """Return a number's ranges with more evidence (nats) against them than the rule allows: those to be blocked.

    A range into which many rush is not among them: within a minute it is known whether anybody enters a code.
    """
    rule, usual = policy.rules.range, _usual(facts)
    found = {}
    for kind in RANGES:
        if (history := facts.histories.get(kind)) is None or _is_spared(facts, kind):
            continue
        measure = Measure(rule.above_nats, usual, ATTACK_CONVERSION, PARTS.get(kind, 0), rule.most_nats_per_tenth)
        if (evidence := unconverted_evidence(history, measure)) < rule.least_unconverted_nats:
            continue
        needed = threshold(history, rule.above_nats)
        # After a block, a range where people read codes is judged by whether they do, and by nothing else.
        share = 0.0 if history.lifted is not None and any(history.converted) else ALARMED.get(kind, 1.0)
        if (whole := _add(facts, policy, evidence, needed, share)) > needed:
            found[str(kind)] = whole
    return found


def judge_country_spike(facts: Facts, policy: Policy) -> str | None:
    """Object to a country whose unconverted sends of a day exceed all three measures."""
    history, rule = facts.histories.get("country"), policy.rules.country_spike
    if history is None:
        return None
    unconverted = history.day_sends - history.day_converted
    if unconverted <= max(
        rule.above_sends, rule.above_share_of_peak * history.peak, rule.above_share_of_converted * history.day_converted
    ):
        return None
    return f"{unconverted:.0f} unconverted in a day"


def judge_country_conversion(facts: Facts, policy: Policy) -> str | None:
    """Object to a country in which hardly any send converts, unless the number, its address or its range is spared."""
    history = facts.histories.get("country")
    if history is None or _is_spared(facts, "country") or _is_stepped_up(facts, policy, "country"):
        return None
    evidence = _country_evidence(facts, policy)
    above = threshold(history, policy.rules.country_conversion.above_nats)
    return f"evidence {evidence:.1f}" if evidence > above else None


def judge_ip_conversion(facts: Facts, policy: Policy) -> str | None:
    """Object to an address whose sends do not convert."""
    return _judge_source(facts, policy, "ip", policy.rules.ip_conversion, ATTACK_CONVERSION)


def judge_burst(facts: Facts, policy: Policy) -> str | None:
    """Object to a network whose addresses take turns and hardly convert, or rush and do not convert at all."""
    if (found := judge_network(facts, policy)) is not None or _is_stepped_up(facts, policy, "network"):
        return found
    rush = _rush(facts, "network")
    return f"{rush} in a minute" if rush > policy.rules.burst.above_per_minute else None


def judge_network(facts: Facts, policy: Policy) -> str | None:
    """Object to a network whose sends hardly convert: one to be blocked. In a rush that is not known yet."""
    return _judge_source(facts, policy, "network", policy.rules.burst, HARDLY_ANY_CONVERSION)


def _rush(facts: Facts, kind: str) -> int:
    history = facts.histories.get(kind)
    return histories.rush(history) if history and not _is_spared(facts, kind) else 0


def judge_unverified_share(facts: Facts, policy: Policy) -> str | None:
    """Object to an address that requested many numbers in a day, nearly all unconverted."""
    history, rule = facts.histories.get("ip"), policy.rules.unverified_share
    asked, missed = histories.numbers_of(history, OLD) if history else (0, 0)
    return (
        f"{missed} of {asked} unconverted"
        if asked >= rule.least_numbers and missed > rule.above_share * asked
        else None
    )


def judge_device_numbers(facts: Facts, policy: Policy) -> str | None:
    """Object to a device that requested many numbers in a day, all unconverted."""
    history = facts.histories.get("device")
    missed = histories.numbers_of(history)[1] if history else 0
    return f"{missed} numbers" if missed > policy.rules.device_numbers.above else None


def judge_many_countries(facts: Facts, policy: Policy) -> str | None:
    """Object to an address that requested numbers of many countries, unconverted."""
    history = facts.histories.get("ip")
    if history is None or histories.is_converting(history):
        return None
    count = histories.countries_of(history)
    return f"{count} countries" if count > policy.rules.many_countries.above else None


def _judge_source(facts: Facts, policy: Policy, kind: str, rule: SourceRule, attack: float) -> str | None:
    history = facts.histories.get(kind)
    if history is None or _is_spared(facts, kind) or _is_stepped_up(facts, policy, kind):
        return None
    evidence = unconverted_evidence(history, Measure(rule.above_nats, _usual(facts), attack))
    needed = threshold(history, rule.above_nats)
    share = 1.0 if evidence > ONE_UNCONVERTED and history.lifted is None else 0.0
    whole = _add(facts, policy, evidence, needed, share)
    return f"evidence {whole:.1f}" if whole > needed else None


def _add(facts: Facts, policy: Policy, evidence: float, needed: float, share: float) -> float:
    """Add a share of the country's alarm, which costs most, only if it can decide."""
    if evidence > needed or evidence + share * policy.rules.country_conversion.most_alarm_nats <= needed:
        return evidence
    return evidence + share * _alarm(facts, policy)


def _alarm(facts: Facts, policy: Policy) -> float:
    """Return what a pumped country adds (nats) to the evidence against its ranges and sources."""
    rule = policy.rules.country_conversion
    if _is_stepped_up(facts, policy, "country"):
        return 0.0
    return min(rule.most_alarm_nats, max(0.0, _country_evidence(facts, policy, RECENT) - rule.alarm_above_nats))


def _country_evidence(facts: Facts, policy: Policy, oldest: float = math.inf) -> float:
    history, rule = facts.histories.get("country"), policy.rules.country_conversion
    if history is None:
        return 0.0
    measure = Measure(
        rule.above_nats,
        _usual(facts),
        HARDLY_ANY_CONVERSION,
        PARTS["country"],
        rule.most_nats_per_million,
        BELOW_COUNTRY,
        oldest,
    )
    return unconverted_evidence(history, measure)


def is_challenged(facts: Facts, policy: Policy) -> bool:
    """Return whether a request solved the captcha that its client is asked for while an alarm is up."""
    return policy.client.step_up == "captcha" and facts.captcha == "passed"


def _is_stepped_up(facts: Facts, policy: Policy, kind: str) -> bool:
    """Return whether a rule's block on a whole country or network stops only those who solve no captcha.

    Otherwise people would be asked for one, and then stopped in silence all the same.
    """
    history = facts.histories.get(kind) if kind in ("country", "ip", "network") else None
    return history is not None and history.block is not None and not history.firm and is_challenged(facts, policy)


def _usual(facts: Facts) -> float:
    return usual_conversion(facts.histories.get("country"))


def _is_spared(facts: Facts, kind: str) -> bool:
    """Return whether a send is not judged by this subject: its number, its address or its range converts.

    Not for good: neither a number nor an address is spared for one code entered once and many that were not since.
    """
    block, ip = facts.histories.get("block_10k"), facts.histories.get("ip")
    known = block is not None and histories.is_known(block) and facts.codes.in_a_row < MOST_IN_A_ROW
    if kind != "device" and known:
        return True
    if kind in ("network", "country") and ip is not None and any(ip.converted) and histories.is_converting(ip):
        return True
    return kind == "country" and _is_range_converting(facts)


def _is_range_converting(facts: Facts) -> bool:
    """Return whether the smallest of a number's ranges with any converted send converts."""
    ranges = [facts.histories[kind] for kind in RANGES if kind in facts.histories]
    smallest = next((history for history in ranges if any(history.converted)), None)
    return smallest is not None and histories.is_converting(smallest)
