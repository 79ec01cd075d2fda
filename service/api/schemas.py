"""What goes over the wire, field by field, with the words and examples of the OpenAPI file.

Read by the handlers and by Litestar's OpenAPI writer. Plain shapes; what they mean is in verification.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

Channel = Literal["sms", "call", "flashcall"]
Status = Literal["pending", "verified", "locked", "expired", "canceled"]
MESSAGE = "If this number can receive codes, one is on its way."

NO_NUL = r"^[^\x00]+$"
PhoneNumber = Annotated[
    str,
    Meta(
        min_length=3, max_length=40, pattern=NO_NUL, examples=["+14155550100"],
        description="The number in E.164, with its country code; spaces and punctuation are dropped.",
    ),
]  # fmt: skip
IpAddress = Annotated[
    str,
    Meta(
        min_length=2, max_length=45, pattern=NO_NUL, examples=["203.0.113.9"],
        description="The end user's address (not your server's). Required, unless the operator made it optional for "
        "you; then account_id is. IPv6 counts by /64.",
    ),
]  # fmt: skip
AccountId = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=NO_NUL, examples=["account-4711"],
        description="Your account or session id: limits and budgets then also count by it.",
    ),
]  # fmt: skip
EventId = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=NO_NUL, examples=["1708102555327.NLOjmg"],
        description="Fingerprint's event id (v4) or request id (v3).",
    ),
]  # fmt: skip
SealedResult = Annotated[
    str,
    Meta(
        min_length=4, max_length=32768, pattern=r"^[A-Za-z0-9+/]+={0,2}$",
        description="Fingerprint's sealed client result, base64.",
    ),
]  # fmt: skip
CaptchaToken = Annotated[
    str,
    Meta(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+$", description="The token of the configured captcha."),
]
Code = Annotated[
    str,
    Meta(
        min_length=4, max_length=40, pattern=NO_NUL, examples=["123456"],
        description="4 to 15 digits, as the end user typed them; spaces and a leading + are dropped.",
    ),
]  # fmt: skip
Remaining = Annotated[int, Meta(ge=0, description="How many more codes may be tried.", examples=[5])]


class VerificationRequest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to verify, and what is known of who asks."""

    phone_number: PhoneNumber
    ip_address: IpAddress | None = None
    account_id: AccountId | None = None
    device_event_id: EventId | None = None
    device_sealed_result: SealedResult | None = None
    captcha_token: CaptchaToken | None = None
    channel: Annotated[Channel, Meta(description="How the code should go out first.")] = "sms"
    deliver: Annotated[
        bool,
        Meta(description="false makes a decoy: say it when the number is not registered with you. Nothing is sent, and "
             "nothing that you or the end user can see differs."),
    ] = True  # fmt: skip


class CodeCheck(msgspec.Struct, forbid_unknown_fields=True):
    """A code to judge."""

    code: Code


class FallbackOffer(msgspec.Struct):
    """The next channel, and from when on it may be asked for."""

    channel: Channel
    available_at: datetime


class VerificationAccepted(msgspec.Struct):
    """Taken: the same for every number."""

    id: UUID
    status: Annotated[Status, Meta(examples=["pending"])]
    created_at: datetime
    expires_at: datetime
    attempts_remaining: Remaining
    fallback: FallbackOffer | None
    message: Annotated[str, Meta(examples=[MESSAGE])]


class VerificationStatus(msgspec.Struct):
    """Where a verification stands."""

    id: UUID
    status: Status
    created_at: datetime
    expires_at: datetime
    verified_at: datetime | None
    attempts_remaining: Remaining
    fallback: FallbackOffer | None


class CodeChecked(msgspec.Struct):
    """How a code was judged."""

    id: UUID
    status: Status
    verified: Annotated[bool, Meta(description="Whether this code was right. Act on nothing else.")]
    attempts_remaining: Remaining


class Health(msgspec.Struct):
    """That the process answers."""

    status: Annotated[str, Meta(examples=["ok"])] = "ok"
