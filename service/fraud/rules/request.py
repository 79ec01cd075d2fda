"""The rules on the request itself: its number, its country, its channel, its captcha and what was counted of it.

Called through fraud.stages. They do no I/O and read no clock. An objection never contains the number.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from service import phone
from service.channels import CHANNELS, Channel
from service.fraud.facts import UNAVAILABLE, Facts
from service.policy.model import Policy

Rule = Callable[[Facts, Policy], str | None]


def judge_number(facts: Facts, policy: Policy) -> str | None:
    """Object to kinds of numbers that the policy excludes."""
    if facts.kind not in policy.rules.number.kinds:
        return None
    return f"kind {phone.tell_kind(facts.number.country, facts.kind)}"


def judge_number_unknown(facts: Facts, _: Policy) -> str | None:
    """Object to numbers that neither the numbering plan nor a look-up knows."""
    known = facts.number.valid or facts.line not in (None, "unknown")
    return None if known else "not in the numbering plan"


def judge_number_unknown_early(facts: Facts, policy: Policy) -> str | None:
    """Do the same before anything is asked, where no look-up will be made that may know the number."""
    return None if policy.lookup.mode == "on" else judge_number_unknown(facts, policy)


def judge_country(facts: Facts, policy: Policy) -> str | None:
    """Object to a country that is not served, in general or by this channel."""
    channel, country, countries = facts.channel, facts.number.country, policy.countries
    if CHANNELS[channel].opt_in and channel not in policy.fallback.order:
        return f"{channel} is not in fallback.order"
    served = country in countries.allow and country in countries.by_channel.get(channel, countries.allow)
    return None if served else f"country {country} by {channel}"


def judge_landline(facts: Facts, policy: Policy) -> str | None:
    """Object to a channel that does not reach landlines, where the one in its place may not be used."""
    other = _instead(facts)
    return f"a landline, and no {other}" if other and not _may_go(other, facts, policy) else None


def choose_channel(facts: Facts, policy: Policy) -> Channel | None:
    """Return the channel to use instead of the requested one, or None: an sms to a landline becomes a call."""
    other = _instead(facts) if policy.rules.landline.mode == "enforce" else None
    return other if other and _may_go(other, facts, policy) else None


def _instead(facts: Facts) -> Channel | None:
    return CHANNELS[facts.channel].landline if facts.kind == "fixed" else None


def _may_go(channel: Channel, facts: Facts, policy: Policy) -> bool:
    moved = msgspec.structs.replace(facts, channel=channel)
    return channel in policy.fallback.order and judge_country(moved, policy) is None


def judge_captcha(facts: Facts, policy: Policy) -> str | None:
    """Object to a captcha that was not solved and, if the policy fails closed, to one that could not be judged."""
    if facts.captcha == UNAVAILABLE and policy.rules.captcha.fail == "closed":
        return "not judged"
    return (facts.captcha_told or "not solved") if facts.captcha == "failed" else None
