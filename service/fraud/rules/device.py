"""The rules on the device event: what Fingerprint saw, and whether the event belongs to this request.

Called through fraud.stages. Pure. A verdict that is missing is not a clean one.
"""

from __future__ import annotations

from service.fraud.facts import UNAVAILABLE, Facts
from service.policy.model import Policy


def judge_bot(facts: Facts, _: Policy) -> str | None:
    """Object to bots of every kind, even good ones, and to a complete event without a bot verdict."""
    event = facts.device.event
    if event is None or not event.complete or event.bot == "not_detected":
        return None
    return f"bot {event.bot or 'not judged'}"


def judge_suspect_score(facts: Facts, policy: Policy) -> str | None:
    """Object to a suspect score above the policy's."""
    event = facts.device.event
    if event is None or event.suspect_score is None or event.suspect_score <= policy.rules.suspect_score.above:
        return None
    return f"suspect score {event.suspect_score:g}"


def judge_confidence(facts: Facts, policy: Policy) -> str | None:
    """Object to a visitor whom Fingerprint is not sure about."""
    event = facts.device.event
    if event is None or event.confidence is None or event.confidence >= policy.rules.confidence.below:
        return None
    return f"confidence {event.confidence:.2f}"


def judge_replayed(facts: Facts, _: Policy) -> str | None:
    """Object to an event that Fingerprint calls replayed."""
    return "replayed" if facts.device.event and facts.device.event.replayed else None


def judge_stale(facts: Facts, policy: Policy) -> str | None:
    """Object to an event older than the policy allows."""
    age = facts.device.age
    too_old = age is not None and age > policy.rules.event_stale.after
    return "stale" if facts.device.state == "stale" or too_old else None


def judge_forged(facts: Facts, _: Policy) -> str | None:
    """Object to an id that Fingerprint never made, and to all ids from an address that invents them."""
    return facts.device.state if facts.device.state in ("malformed", "unknown", "unasked") else None


def judge_unavailable(facts: Facts, policy: Policy) -> str | None:
    """Object to an event that could not be looked up, if the policy fails closed."""
    closed = policy.rules.device_unread.fail == "closed"
    return "unavailable" if closed and facts.device.state == UNAVAILABLE else None


def judge_bound(facts: Facts, _: Policy) -> str | None:
    """Object to an event that another client or number used first."""
    return "used before" if facts.device.bound is False else None


def judge_event_ip(facts: Facts, _: Policy) -> str | None:
    """Object to an event from another address than the request's."""
    return None if facts.device.same_place else "another address"


def judge_linked(facts: Facts, _: Policy) -> str | None:
    """Object to an event that was made for another account."""
    return None if facts.device.same_account else "another linked id"


def judge_incomplete(facts: Facts, _: Policy) -> str | None:
    """Object to an event for which no verdicts were computed."""
    return "no verdicts" if facts.device.event and not facts.device.event.complete else None


def judge_no_event(facts: Facts, _: Policy) -> str | None:
    return "no event" if facts.device.state == "none" else None


def judge_tampering(facts: Facts, _: Policy) -> str | None:
    return "tampering" if facts.device.event and facts.device.event.tampering else None


def judge_tor(facts: Facts, _: Policy) -> str | None:
    return "tor" if facts.device.event and facts.device.event.tor else None


def judge_vpn(facts: Facts, _: Policy) -> str | None:
    return "vpn" if facts.device.event and facts.device.event.vpn else None


def judge_virtual_machine(facts: Facts, _: Policy) -> str | None:
    return "virtual machine" if facts.device.event and facts.device.event.virtual_machine else None
