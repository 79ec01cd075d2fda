"""Complete requests and replies, as the OpenAPI file and the API's page show them.

Read by document; a test checks each one against its struct. Numbers and addresses are reserved for documentation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from service.api.openapi import operator_examples
from service.api.schemas import product
from service.providers.telnyx import webhook

Named = dict[str, msgspec.Struct]

ID = UUID("01a2001c-325a-71f0-9c85-1a4935d9dd81")
REQUESTED = datetime(2026, 1, 31, 12, tzinfo=UTC)
EXPIRES = REQUESTED + timedelta(minutes=5)
OFFER = product.FallbackOffer("call", REQUESTED + timedelta(seconds=30))


def _status(status: product.Status, remaining: int, *, verified: datetime | None = None) -> product.VerificationStatus:
    offer = OFFER if status == "pending" else None
    return product.VerificationStatus(ID, status, REQUESTED, EXPIRES, verified, remaining, offer)


EXAMPLES: dict[type[msgspec.Struct], Named] = operator_examples.EXAMPLES | {
    product.VerificationRequest: {
        "plain": product.VerificationRequest("+14155550100", "203.0.113.9"),
        "whole": product.VerificationRequest(
            "+14155550100", "2001:db8::17", "account-4711", "1708102555327.NLOjmg", channel="call"
        ),
        "decoy": product.VerificationRequest("+14155550101", "203.0.113.9", deliver=False),
    },
    product.VerificationAccepted: {
        "always": product.VerificationAccepted(ID, "pending", REQUESTED, EXPIRES, 5, OFFER, product.MESSAGE),
    },
    product.CodeCheck: {"plain": product.CodeCheck("123456")},
    product.CodeChecked: {
        "right": product.CodeChecked(ID, "verified", verified=True, attempts_remaining=5),
        "wrong": product.CodeChecked(ID, "pending", verified=False, attempts_remaining=4),
        "last": product.CodeChecked(ID, "locked", verified=False, attempts_remaining=0),
    },
    product.VerificationStatus: {
        "pending": _status("pending", 5),
        "verified": _status("verified", 5, verified=REQUESTED + timedelta(seconds=67)),
        "locked": _status("locked", 0),
        "canceled": _status("canceled", 5),
    },
    webhook.Envelope: webhook.EXAMPLES,
    product.Received: {"always": product.Received()},
    product.Health: {"always": product.Health()},
}
