"""What an operator can do about a verification whose code did not come: the rules that stopped it, or what else did.

Called by story. Pure: made of a VerificationDetail, which holds no whole number. It must never change anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from service.operators.explaining.explanations import cause_of, words_of
from service.operators.explaining.verification_detail import (
    RecordedDecision,
    SendDetail,
    VerificationDetail,
    is_suppressed,
    stopping,
)

Act = Literal["exempt", "lift_block", "change_rule", "mend", "ask_again"]

BUDGETS = ("budget", "budget_country", "budget_unconverted")
AGAIN = "Have the person ask again"
PROFILE = (
    "Compare the Verify profile with the policy: verify-gateway doctor names what differs, and verify-gateway profile "
    "sync writes it to Telnyx. If they agree, the destination has to be enabled at Telnyx."
)
KEY = "Look at TELNYX_API_KEY: it may be revoked, or another account's. verify-gateway doctor tries it."
LEVEL = "Ask Telnyx what the account's level has to be for these sends."
FUNDS = "Add funds to the account at Telnyx; what waits goes out by itself once they are there."
NETWORK = (
    f"See whether Telnyx is well, and whether this host reaches it: verify-gateway doctor tries. {AGAIN} once it does."
)
ANSWER = f"{AGAIN}. If it happens to many, look at the alerts, and at Telnyx' status page."
NUMBER = "Have the number checked with the person: it may be mistyped, or out of service."
# By Telnyx' code, or by our own word for a call that brought none.
REMEDIES = {
    "10002": NUMBER, "10016": NUMBER, "not_e164": NUMBER,
    "40020": "Wait a day, or offer another way: Telnyx blocks this number for that long.",
    "40309": PROFILE, "40331": PROFILE,
    "10015": PROFILE, "10027": PROFILE,
    "10011": "Nothing is wrong here: Telnyx throttles. If it goes on, ask Telnyx for a higher rate.",
    "10009": KEY, "10010": KEY, "10038": LEVEL, "10039": LEVEL, "20012": FUNDS, "20100": FUNDS,
    "40333": "Raise the Verify profile's daily spend limit at Telnyx, if the traffic is genuine.",
    "10005": "Look at TELNYX_VERIFY_PROFILE_ID and verify_profile_id in the policy: verify-gateway doctor tries them.",
    "no_connection": NETWORK, "time_limit": NETWORK, "broken_off": NETWORK, "waited": NETWORK,
    "held_by_another": f"{AGAIN}: the code of the other verification reached the phone.",
}  # fmt: skip
IN_DOUBT = "Ask whether the code came. It is not sent again by itself; the person may ask for another."
NOT_ENTERED = (
    "Ask whether the code came. If not: have the number checked, or try another channel; if it did, "
    "the person mistyped it or came too late, and may ask again."
)
UNDELIVERED = "Have the number checked with the person, or try another channel: the carrier delivered nothing."
UNREAD = (
    "The device event could not be read, so the rules on devices saw nothing. Look at the alerts, and have "
    "verify-gateway doctor try Fingerprint's key."
)
WAITING = "Wait: it is tried again until its deadline."


class Advice(msgspec.Struct, frozen=True):
    """Something that an operator can do. `block`: the id of the block to lift; `rule`: the rule to change."""

    act: Act
    text: str
    rule: str | None = None
    block: int | None = None


def advise(detail: VerificationDetail) -> Iterator[Advice]:
    """List what can be done; nothing where the number is verified, or nothing was meant to go out."""
    if not detail.deliver or detail.status == "verified":
        return
    yield from _advise_on_rules(detail)
    newest = detail.sends[-1] if detail.sends else None
    if newest is not None and not detail.test and not is_suppressed(newest):
        yield from _advise_on_send(newest)
    if any(has_unread_event(send.decision) for send in detail.sends):
        yield Advice("mend", UNREAD)


def has_unread_event(decision: RecordedDecision | None) -> bool:
    """Say whether a decision was made without the device event, because Fingerprint could not be asked."""
    device = decision.facts.get("device") if decision else None
    return isinstance(device, dict) and device.get("state") == "unread"


def _advise_on_rules(detail: VerificationDetail) -> Iterator[Advice]:
    told: set[str] = set()
    for send in detail.sends:
        for one in stopping(send.decision):
            if one.rule in told:
                continue
            told.add(one.rule)
            if one.rule == "block" and send.decision:
                for block in _blocks_in(send.decision):
                    yield Advice("lift_block", f"Lift block {block}, if these were people.", block=block)
            yield Advice("change_rule" if one.rule in BUDGETS else "exempt", words_of(one.rule).advice, rule=one.rule)


def _advise_on_send(send: SendDetail) -> Iterator[Advice]:
    """Say what can be done about a send that no rule stopped."""
    match send.state:
        case "refused" | "abandoned":
            yield Advice("mend", REMEDIES.get(cause_of(send.error), ANSWER))
        case "due" | "begun":
            remedy = REMEDIES.get(cause_of(send.error)) if send.error else None
            yield Advice("mend", remedy or WAITING)
        case "in_doubt":
            yield Advice("ask_again", IN_DOUBT)
        case "sent":
            yield Advice("ask_again", UNDELIVERED if send.delivery == "failed" else NOT_ENTERED)


def _blocks_in(decision: RecordedDecision) -> list[int]:
    """List the ids of the blocks that a decision saw in force."""
    histories = decision.facts.get("histories")
    found = [one.get("block") for one in histories.values()] if isinstance(histories, dict) else []
    return sorted({block for block in found if isinstance(block, int)})
