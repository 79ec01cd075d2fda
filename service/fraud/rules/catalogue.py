"""The rules: small pure functions from facts to an objection, or to none; and the order in which they are asked.

Called by fraud.decision. They do no I/O and read no clock. An objection says what was seen, never the number.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from service import phone
from service.channels import CHANNELS, Channel
from service.fraud.facts import Facts
from service.fraud.rules import device
from service.fraud.rules import history as history_rules
from service.policy.model import Policy

Rule = Callable[[Facts, Policy], str | None]


def judge_number(facts: Facts, policy: Policy) -> str | None:
    """Object to numbers outside the numbering plan, and to kinds that cost their caller."""
    if not facts.number.valid:
        return "not a valid number"
    if facts.kind not in policy.rules.number.kinds:
        return None
    return f"kind {phone.tell_kind(facts.number.country, facts.kind)}"


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
    """Return by which channel a send goes instead of the one that was asked for, or None: a landline is called."""
    other = _instead(facts) if policy.rules.landline.mode == "enforce" else None
    return other if other and _may_go(other, facts, policy) else None


def _instead(facts: Facts) -> Channel | None:
    return CHANNELS[facts.channel].landline if facts.kind == "fixed" else None


def _may_go(channel: Channel, facts: Facts, policy: Policy) -> bool:
    moved = msgspec.structs.replace(facts, channel=channel)
    return channel in policy.fallback.order and judge_country(moved, policy) is None


def judge_captcha(facts: Facts, policy: Policy) -> str | None:
    """Object to a captcha that was not solved; where the policy says so, also to one that nobody could judge."""
    if facts.captcha == "unread" and policy.rules.captcha.fail == "closed":
        return "not judged"
    return "not solved" if facts.captcha == "failed" else None


# Rules that need no call and no history: what they object to spends nobody's quota and leaves no trace.
FIRST: dict[str, Rule] = {"number": judge_number, "country": judge_country}

# Judged once more when all is known of the number, and instead of what was found before.
LINE: dict[str, Rule] = {"number": judge_number, "landline": judge_landline}

# Asked about before Fingerprint, whose quota it saves.
CAPTCHA: dict[str, Rule] = {"captcha": judge_captcha}

DEVICE: dict[str, Rule] = {
    "bot": device.judge_bot,
    "suspect_score": device.judge_suspect_score,
    "confidence": device.judge_confidence,
    "event_replayed": device.judge_replayed,
    "event_stale": device.judge_stale,
    "event_forged": device.judge_forged,
    "event_bound": device.judge_bound,
    "event_ip": device.judge_event_ip,
    "event_linked": device.judge_linked,
    "event_incomplete": device.judge_incomplete,
    "no_event": device.judge_no_event,
    "device_unread": device.judge_unread,
    "tampering": device.judge_tampering,
    "tor": device.judge_tor,
    "vpn": device.judge_vpn,
    "virtual_machine": device.judge_virtual_machine,
}

HISTORY: dict[str, Rule] = {
    "block": history_rules.judge_block,
    "sequential": history_rules.judge_sequential,
    "range": history_rules.judge_range,
    "country_spike": history_rules.judge_country_spike,
    "country_conversion": history_rules.judge_country_conversion,
    "ip_conversion": history_rules.judge_ip_conversion,
    "burst": history_rules.judge_burst,
    "unverified_share": history_rules.judge_unverified_share,
    "device_numbers": history_rules.judge_device_numbers,
    "many_countries": history_rules.judge_many_countries,
}

RULES: dict[str, Rule] = FIRST | CAPTCHA | DEVICE | HISTORY | LINE
