"""The rules on the device event: what Fingerprint saw, and whether the event belongs to this request.

Called through fraud.stages. Pure. A verdict that is missing is not a clean one, where it could be there.
"""

from __future__ import annotations

from service import phone
from service.fraud.facts import UNAVAILABLE, VERDICTS, Facts
from service.policy.model import Policy


def judge_bot(facts: Facts, _: Policy) -> str | None:
    """Object to bots of every kind, even good ones, and to a complete event that lacks its bot verdict.

    Events of apps and of the edge have none, and those of some plans: what cannot come is no objection.
    """
    event = facts.device.event
    if event is None or not event.complete:
        return None
    if event.agent is not None and event.bot in (None, "not_detected"):
        return f"bot {event.agent}"
    if event.bot is None:
        return "bot not judged" if event.lacks("bot") and "bot" not in facts.device.absent else None
    return None if event.bot == "not_detected" else f"bot {event.bot}"


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
    """Object to an event that another client used first, or as many numbers as one may serve."""
    return "used before" if facts.device.bound is False else None


def judge_event_ip(facts: Facts, _: Policy) -> str | None:
    """Object to an event from another network than the request's."""
    return None if facts.device.same_place else "another network"


def judge_linked(facts: Facts, _: Policy) -> str | None:
    """Object to an event that was made for another account."""
    return None if facts.device.same_account else "another linked id"


def judge_incomplete(facts: Facts, _: Policy) -> str | None:
    """Object to an event for which no verdicts were computed, unless none of this client's has any.

    One that Fingerprint has not finished would have got them: the page brought it too early, or on purpose.
    """
    event = facts.device.event
    if event is None or event.complete:
        return None
    return "no verdicts" if event.partial or VERDICTS not in facts.device.absent else None


def judge_no_event(facts: Facts, _: Policy) -> str | None:
    return "no event" if facts.device.state == "none" else None


def judge_tampering(facts: Facts, _: Policy) -> str | None:
    return "tampering" if facts.device.event and facts.device.event.tampering else None


def judge_tor(facts: Facts, _: Policy) -> str | None:
    return "tor" if facts.device.event and facts.device.event.tor else None


def judge_vpn(facts: Facts, _: Policy) -> str | None:
    return "vpn" if facts.device.event and facts.device.event.vpn else None


def judge_proxy(facts: Facts, _: Policy) -> str | None:
    return "proxy" if facts.device.event and facts.device.event.proxy else None


def judge_hosting(facts: Facts, _: Policy) -> str | None:
    return "data center" if facts.device.event and facts.device.event.hosting else None


def judge_ip_country(facts: Facts, _: Policy) -> str | None:
    """Object to an address in another country than the number's, unless the two share a calling code.

    A relay's address says nothing of where its user is.
    """
    event, country = facts.device.event, facts.number.country
    if event is None or event.relay or not event.countries or country is None:
        return None
    codes = {phone.code_of(one) for one in event.countries}
    return None if phone.code_of(country) in codes else f"address in {', '.join(event.countries)}"


def judge_virtual_machine(facts: Facts, _: Policy) -> str | None:
    return "virtual machine" if facts.device.event and facts.device.event.virtual_machine else None
