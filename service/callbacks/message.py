"""One callback as it goes over the wire: its body, its signature, and when it is tried again, by Standard Webhooks.

Called by delivery. Pure. It must say nothing that its receiver could not have read from the verification's status:
whether a code was sent, or to whom, is not in it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta
from standardwebhooks.webhooks import Webhook

Ending = Literal["verified", "locked", "expired", "canceled"]
EventType = Literal["verification.verified", "verification.locked", "verification.expired", "verification.canceled"]
TYPES: dict[Ending, EventType] = {
    "verified": "verification.verified",
    "locked": "verification.locked",
    "expired": "verification.expired",
    "canceled": "verification.canceled",
}

# Seconds from one attempt to the next, as Standard Webhooks proposes them: three days in all.
RETRIES = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# A tenth more or less, so that what failed together is not tried together.
JITTER = 0.1
SECRET_BYTES = 32


class EndedVerification(msgspec.Struct, frozen=True):
    """What has ended, and how."""

    verification_id: Annotated[
        UUID, Meta(description="The id that its request returned.", examples=["01a2001c-325a-71f0-9c85-1a4935d9dd81"])
    ]
    status: Annotated[
        Ending,
        Meta(
            title="EndedStatus",
            description="How it ended.",
            examples=["verified"],
            extra_json_schema={"type": "string"},
        ),
    ]


class VerificationEvent(msgspec.Struct, frozen=True):
    """The body of a callback. Its `webhook-id` is the same at each attempt: drop what you have already handled."""

    type: Annotated[
        EventType,
        Meta(
            title="VerificationEventType",
            description="What happened.",
            examples=["verification.verified"],
            extra_json_schema={"type": "string"},
        ),
    ]
    timestamp: Annotated[
        datetime, Meta(tz=True, description="When it happened.", examples=["2026-01-31T12:01:07.000000Z"])
    ]
    data: Annotated[EndedVerification, Meta(description="What has ended, and how.")]


class Letter(msgspec.Struct, frozen=True):
    """A body with the headers that sign it."""

    body: bytes
    headers: dict[str, str]


def write(verification: UUID, status: Ending, at: datetime) -> bytes:
    """Write the body of one callback: the same at each attempt."""
    ended = EndedVerification(verification, status)
    return msgspec.json.encode(VerificationEvent(TYPES[status], at.astimezone(UTC), ended))


def sign(callback: UUID, body: bytes, secrets: Sequence[str], now: datetime) -> Letter:
    """Sign a body with each secret that is in force. `now`: the moment of this attempt."""
    moment = now.astimezone(UTC)  # the package takes any other zone's hours for UTC's
    name = f"msg_{callback.hex}"
    signatures = [Webhook(secret).sign(name, moment, body.decode()) for secret in secrets]
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Letter(body, headers)


def new_secret() -> str:
    """Make a secret of 256 random bits, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def wait_before(attempt: int, chance: float) -> float | None:
    """Return how long to wait after a failed attempt (from 1), in seconds; None after the last. `chance`: 0 to 1."""
    if attempt > len(RETRIES):
        return None
    return RETRIES[attempt - 1] * (1 + JITTER * (2 * chance - 1))
