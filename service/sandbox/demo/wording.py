"""What the shop tells people when the gateway refuses something: sentences of its own, never the gateway's.

Called by demo.page. A problem's `type` decides; its texts are for developers, and no number or code is repeated.
"""

from __future__ import annotations

from typing import Any

import msgspec

from service.sandbox.demo.backend import GatewayAnswer

PREFIX = "urn:verify-gateway:problem:"
OURS = "Something is wrong on our side. Please try again later."
FORM = "Something in the form is missing or too long. Please check it."
TEXTS = {
    "limited": "You have asked for several codes already. Please try again in {wait}.",
    "challenge-required": "There are unusually many sign-ups at the moment. Please try again later.",
    "unavailable": "We cannot do this at the moment. Please try again in {wait}.",
    "guesses-in-flight": "Your last code is still being checked. Please try again in {wait}.",
    "too-early": "Please wait {wait} more before you ask for another way.",
    "no-channel-left": "There is no other way to send you a code. You can ask for a new one.",
    "not-found": "This sign-up is too old. Please start again.",
}
FIELDS = {
    "phone_number": "Please check the number: it does not look like a phone number.",
    "code": "Please type the digits of the code, and nothing else.",
    "channel": "This way is not offered. Please choose another one.",
}
ENDED = {
    "verified": "This number is verified already.",
    "locked": "Too many wrong codes were entered. Please start again later.",
    "expired": "The code is no longer valid. Please start again.",
    "canceled": "This sign-up was canceled. Please start again.",
}


class Told(msgspec.Struct, frozen=True):
    """What the page shows. `field`: what is to be corrected; `wait`: seconds; `ended`: how the verification ended."""

    text: str
    field: str | None = None
    wait: int | None = None
    ended: str | None = None


def tell(answer: GatewayAnswer) -> Told:
    """Put a problem into words for people."""
    problem: dict[str, Any] = answer.body if isinstance(answer.body, dict) else {}
    kind = str(problem.get("type", "")).removeprefix(PREFIX)
    ended = problem.get("verification_status")
    if ended in ENDED:
        return Told(ENDED[ended], ended=ended)
    field = next((name for name in problem.get("fields") or () if name in FIELDS), None)
    if field is not None:
        return Told(FIELDS[field], field=field)
    seconds = int(answer.retry_after or 1)
    return Told(TEXTS.get(kind, OURS).format(wait=tell_wait(seconds)), wait=seconds if kind in TEXTS else None)


def tell_wait(seconds: int) -> str:
    """Say how long to wait, as people do."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return f"{-(-seconds // length)} {unit}s"
    return f"{seconds} second{'s' if seconds > 1 else ''}"
