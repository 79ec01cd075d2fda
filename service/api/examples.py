"""Whole requests and answers, as the OpenAPI file and the API's page show them.

Read by documents; a test holds each one to its struct. Numbers and addresses are those kept for documentation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from service.api import events, operator_examples, schemas

Named = dict[str, msgspec.Struct]

ID = UUID("01a2001c-325a-71f0-9c85-1a4935d9dd81")
REQUESTED = datetime(2026, 1, 31, 12, tzinfo=UTC)
EXPIRES = REQUESTED + timedelta(minutes=5)
OFFER = schemas.FallbackOffer("call", REQUESTED + timedelta(seconds=30))


def _status(status: schemas.Status, remaining: int, *, verified: datetime | None = None) -> schemas.VerificationStatus:
    offer = OFFER if status == "pending" else None
    return schemas.VerificationStatus(ID, status, REQUESTED, EXPIRES, verified, remaining, offer)


EXAMPLES: dict[type[msgspec.Struct], Named] = operator_examples.EXAMPLES | {
    schemas.VerificationRequest: {
        "plain": schemas.VerificationRequest("+14155550100", "203.0.113.9"),
        "whole": schemas.VerificationRequest(
            "+14155550100", "2001:db8::17", "account-4711", "1708102555327.NLOjmg", channel="call"
        ),
        "decoy": schemas.VerificationRequest("+14155550101", "203.0.113.9", deliver=False),
    },
    schemas.VerificationAccepted: {
        "always": schemas.VerificationAccepted(ID, "pending", REQUESTED, EXPIRES, 5, OFFER, schemas.MESSAGE),
    },
    schemas.CodeCheck: {"plain": schemas.CodeCheck("123456")},
    schemas.CodeChecked: {
        "right": schemas.CodeChecked(ID, "verified", verified=True, attempts_remaining=5),
        "wrong": schemas.CodeChecked(ID, "pending", verified=False, attempts_remaining=4),
        "last": schemas.CodeChecked(ID, "locked", verified=False, attempts_remaining=0),
    },
    schemas.VerificationStatus: {
        "pending": _status("pending", 5),
        "verified": _status("verified", 5, verified=REQUESTED + timedelta(seconds=67)),
        "locked": _status("locked", 0),
        "canceled": _status("canceled", 5),
    },
    events.Envelope: {
        "delivered": events.Envelope(
            events.Event(
                "b5c9f9a2-3ba6-4b56-9a0e-3e6dcb9b8f0e",
                "verify.delivered",
                msgspec.Raw(b'{"id": "12ade33a-21c0-473b-b055-b3c836e1c292", "delivery_status": "delivered"}'),
            )
        ),
    },
    events.Received: {"always": events.Received()},
    schemas.Health: {"always": schemas.Health()},
}
