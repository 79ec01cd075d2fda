"""What a rule, a send's error or a status means, in sentences for whoever answers people.

Used by operators.explaining.story, operators.explaining.advice and api.console. Words only. Every rule of the policy
has its line here; a test counts them.
"""

from __future__ import annotations

from typing import NamedTuple

from service.channels import CHANNELS, Channel


class RuleWords(NamedTuple):
    """What a rule's objection means, and what can be done if the person is genuine."""

    means: str
    advice: str


EXEMPT = "If you know that this is a person, exempt the number for an hour and have them ask again."
NEW_EVENT = "Have the page make a new device event for each submit; the person can simply try again."
TRAFFIC = "If these are people, lift the block, or exempt the number for an hour."
RULES: dict[str, RuleWords] = {
    "number": RuleWords("Numbers of this kind get no code.", "If you serve such numbers, look at rules.number.kinds."),
    "number_unknown": RuleWords(
        "The numbering plan does not know this number; it may be mistyped, or newer than the plan.",
        "Have the number checked. If it is right, renew the numbering plan.",
    ),
    "country": RuleWords(
        "The number's country is not on the list of countries that get codes by this channel.",
        "If you serve this country, add it to [countries] allow in the policy.",
    ),
    "landline": RuleWords(
        "The number is a landline, and no channel that reaches landlines may be used.",
        "Allow calls to this country, or ask the person for a mobile number.",
    ),
    "block": RuleWords(
        "A block is in force on the number's range or country, or on the address or device that asked.", TRAFFIC
    ),
    "captcha": RuleWords(
        "The captcha was not solved, or its provider did not accept it.",
        "The person can try again with a fresh captcha. If it happens to many, compare its secret with the site key.",
    ),
    "bot": RuleWords("Fingerprint says that the device is an automated browser: a bot.", EXEMPT),
    "suspect_score": RuleWords("Fingerprint's suspect score of the device is above the limit.", EXEMPT),
    "confidence": RuleWords("Fingerprint is not sure which device this is.", EXEMPT),
    "event_replayed": RuleWords("Fingerprint says that the device event was replayed.", NEW_EVENT),
    "event_stale": RuleWords(
        "The device event was too old: the page had been open for longer than rules.event_stale.after.",
        f"{NEW_EVENT} If people need longer, raise rules.event_stale.after.",
    ),
    "event_forged": RuleWords(
        "The device event is not one that Fingerprint made, or its address had brought too many such.", NEW_EVENT
    ),
    "event_bound": RuleWords(
        "The device event had been used before, by another client or for as many numbers as one may serve.", NEW_EVENT
    ),
    "event_ip": RuleWords("The device event comes from another network than the request.", EXEMPT),
    "event_linked": RuleWords("The device event was made for another account.", NEW_EVENT),
    "event_incomplete": RuleWords(
        "Fingerprint had computed no verdicts for the device event: the page sent it too early.", NEW_EVENT
    ),
    "no_event": RuleWords("The request brought no device event.", "Have the page send one, or let the rule observe."),
    "device_unread": RuleWords(
        "Fingerprint could not be asked, and the tighter limit for that time was used up.",
        "Look at the alerts: is Fingerprint's key valid, its quota spent? Meanwhile exempt the number for an hour.",
    ),
    "tampering": RuleWords("Fingerprint says that the browser's attributes were changed, or it hides them.", EXEMPT),
    "tor": RuleWords("The request came through Tor.", EXEMPT),
    "vpn": RuleWords("The request came through a VPN.", EXEMPT),
    "proxy": RuleWords("The request came through a proxy.", EXEMPT),
    "hosting": RuleWords("The request came from a data center.", EXEMPT),
    "virtual_machine": RuleWords("The browser runs in a virtual machine.", EXEMPT),
    "ip_country": RuleWords("The request's address is in another country than the number.", EXEMPT),
    "number_unconverted": RuleWords(
        "Too many codes of a day were sent to this number and not entered.", "Wait, or exempt the number for an hour."
    ),
    "device": RuleWords(
        "Too many codes were sent to this device: limits.device was used up.",
        "Wait, or exempt the number from limits for an hour.",
    ),
    "phone_everywhere": RuleWords(
        "Too many codes were sent to this number, by all clients together: limits.phone_everywhere was used up.",
        "Wait, or exempt the number from limits for an hour.",
    ),
    "sequential": RuleWords(
        "Numbers very close to this one were asked for, as a machine does; few converted.", TRAFFIC
    ),
    "range": RuleWords("Too few codes sent into the number's range were entered.", TRAFFIC),
    "country_conversion": RuleWords("Hardly any code sent to this country is entered.", TRAFFIC),
    "country_spike": RuleWords("Unusually many codes to this country were not entered today.", TRAFFIC),
    "ip_conversion": RuleWords("Too few codes that this address asked for were entered.", TRAFFIC),
    "burst": RuleWords("Many requests came from this network within a short time, and hardly any converted.", TRAFFIC),
    "unverified_share": RuleWords("This address asked for many numbers in a day, nearly all without result.", TRAFFIC),
    "device_numbers": RuleWords("This device asked for many numbers in a day, all without result.", EXEMPT),
    "many_countries": RuleWords("This address asked for numbers of many countries in a day.", EXEMPT),
    "budget": RuleWords(
        "The day's budget for everything was spent. Nothing is sent until midnight UTC.",
        "Raise budgets.everything in the policy if the traffic is genuine.",
    ),
    "budget_unconverted": RuleWords(
        "Too many codes of the day to this country were sent for nothing: the insurance against pumping stopped it.",
        "If these are people, exempt the country from budget_unconverted, or raise its number in [budgets].",
    ),
    "budget_country": RuleWords(
        "The day's budget for this country was spent. Nothing is sent to it until midnight UTC.",
        "Raise the country's budget in the policy if the traffic is genuine.",
    ),
}
UNKNOWN = RuleWords("A rule of another version objected.", EXEMPT)

# The policy's limits that may refuse a request, or a code.
LIMITS = {
    "phone": "Requests for this number",
    "ip": "Requests from the address that asked for it, without result",
    "ip_total": "Requests from the address that asked for it, all of them",
    "account": "Requests of the account that asked for it, without result",
    "account_total": "Requests of the account that asked for it, all of them",
    "codes_per_phone": "Wrong codes for this number from one source",
    "codes_per_phone_total": "Wrong codes for this number from all sources",
    "phone_everywhere": "Sends to this number by all clients together (nothing is sent, and nobody is told)",
}

MODES = {
    "enforce": "stopped the send",
    "observe": "only observes: it would have stopped the send if it were enforced",
    "lifted": "was waived by an operator's exemption",
}

# Telnyx' error codes, and our own words for a call that brought none.
ERRORS = {
    "10002": "Telnyx says that this is not a phone number",
    "10016": "Telnyx says that this is not a number in E.164",
    "40020": "Telnyx blocks traffic to this number for a day",
    "40309": "Telnyx does not allow this destination",
    "40331": "this destination is not enabled in the Verify profile",
    "10015": "Telnyx calls the request invalid",
    "10027": "Telnyx calls the request invalid",
    "10011": "Telnyx throttles our requests",
    "10009": "Telnyx does not accept our API key",
    "10010": "our API key may not do this at Telnyx",
    "10038": "the account's level at Telnyx does not allow this",
    "10039": "the account's level at Telnyx does not allow this",
    "20012": "the account at Telnyx has no funds",
    "20100": "the account at Telnyx has no funds",
    "40333": "the Verify profile's spend limit is reached",
    "10005": "Telnyx does not know the Verify profile",
    "not_e164": "the number cannot be dialled",
    "no_connection": "Telnyx could not be reached",
    "time_limit": "Telnyx did not answer in time",
    "broken_off": "the connection to Telnyx broke off",
    "unreadable": "Telnyx' answer could not be read",
    "no_id": "Telnyx' answer named no verification",
    "look_up_failed": "Telnyx could not be asked whether it had been made",
    "waited": "sends were waiting, because Telnyx accepted nothing",
    "interrupted": "the process that made the send was interrupted",
    "deadline": "its deadline passed",
    "held_by_another": "another verification holds Telnyx' id of it",
}

FOLLOWED = {
    "press": "The caller asked for another channel",
    "refused": "The send before was refused, so the next channel followed",
    "failed": "The message before was not delivered, so the next channel followed",
    "waited": "No code had been entered, so the next channel followed",
}

DELIVERIES = {
    "sent": "The carrier took the {noun}",
    "delivered": "The {noun} was delivered",
    "unconfirmed": "The {noun} was sent; the carrier did not confirm its delivery",
    "failed": "The {noun} was not delivered",
}

ENDS = {
    "verified": "The number is verified.",
    "locked": "Locked: too many wrong codes. Only a new verification helps.",
    "expired": "Expired: no right code was entered in time.",
    "canceled": "Canceled by the caller, or forgotten.",
}


def words_of(rule: str) -> RuleWords:
    """Return what a rule's objection means."""
    return RULES.get(rule, UNKNOWN)


def word_error(error: str | None) -> str:
    """Say why a send did not go out: the last cause of one that was given up, and its code."""
    if not error:
        return "no reason was recorded"
    last = cause_of(error)
    said = ERRORS.get(last, "Telnyx gave an error" if last.isdigit() else "Telnyx' answer was an error")
    return f"{said} ({last})"


def cause_of(error: str | None) -> str:
    """Return the code of the last cause: of one that was given up, what kept it until then."""
    known, _, cause = (error or "").partition(": ")
    return cause or known


def noun_of(channel: Channel) -> str:
    """Return what people call a send by a channel."""
    return CHANNELS[channel].noun
