"""What goes over the wire, field by field, with the descriptions and examples of the OpenAPI file.

Used by the handlers and by api.openapi.examples; the OpenAPI file is written from them. Plain structures without
behaviour.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from service.api.schemas.decisions import TEXT, AnyChannel, SendDecision
from service.channels import DEFAULT

MESSAGE = "If this number can receive codes, one is on its way."

# The OpenAPI file has patterns for every engine, without look-around; there `\Z`, Python's end of a text, is written $.
NO_NUL = r"^[^\x00]+$"

FirstChannel = Annotated[
    AnyChannel,
    Meta(
        description=f"The channel to use first, {DEFAULT} if left out; 422 for one that is off, as WhatsApp is as "
        "shipped.",
        examples=[DEFAULT],
    ),
]
NextChannel = Annotated[AnyChannel, Meta(description="The next channel.", examples=["call"])]
Status = Annotated[
    Literal["pending", "verified", "locked", "expired", "canceled"],
    Meta(title="Status", description="The verification's status.", examples=["pending"], extra_json_schema=TEXT),
]
PhoneNumber = Annotated[
    str,
    Meta(
        min_length=3, max_length=80, pattern=NO_NUL, examples=["+14155550100"],
        description="The number in E.164, with its country code. Spaces, punctuation, invisible characters and a (0) "
        "are dropped. What could be an extension or a second number is refused, and so is a number without its +.",
    ),
]  # fmt: skip
IpAddress = Annotated[
    str,
    Meta(
        min_length=2, max_length=45, pattern=NO_NUL, examples=["203.0.113.9"],
        description="The end user's address: not your server's or proxy's, nor one that the Internet does not know, "
        "such as 10.0.0.1 or ::1, which is refused (422). Required, unless the operator made it optional for you "
        "(`ip_required` in the policy); a request without it must have account_id. IPv6 counts by /64, and as IPv4 "
        "where it only carries that.",
    ),
]  # fmt: skip
AccountId = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=NO_NUL, examples=["account-4711"],
        description="Whoever is signed in with you, or your own anonymous session; never an account that is merely "
        "named, as on a login form. Limits also count by it, and it is known once a number was verified from it. "
        "Compared in Unicode's form NFKC, without case, trimmed.",
    ),
]  # fmt: skip
DeviceEventId = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=NO_NUL, examples=["1708102555327.NLOjmg"],
        description="Fingerprint's event id (v4) or request id (v3): have the page make a new event for each submit, "
        "and switch off the agent's cache. One event serves one corrected number besides its own, and grows stale.",
    ),
]  # fmt: skip
SealedResult = Annotated[
    str,
    Meta(
        min_length=4, max_length=32768, pattern=r"^[A-Za-z0-9+/]+={0,2}\Z", examples=["noXc7SXO+mqeAGrvBMgObg=="],
        description="Fingerprint's sealed client result, base64: a new one for each submit, as an event id is.",
    ),
]  # fmt: skip
CaptchaToken = Annotated[
    str,
    Meta(
        min_length=1, max_length=8192, pattern=r"^[\x21-\x7e]+\Z", examples=["10000000-aaaa-bbbb-cccc-00000001"],
        description="The token that the captcha gave the end user's browser, new for each submit. For two minutes it "
        "also serves a retry, or one corrected number, from the same address.",
    ),
]  # fmt: skip
Deliver = Annotated[
    bool,
    Meta(
        examples=[True],
        description="true if left out. false makes a decoy: use it when the number is not registered with you. "
        "Nothing is sent, and nothing that you or the end user can see differs.",
    ),
]
Code = Annotated[
    str,
    Meta(
        min_length=4, max_length=80, examples=["123456"],
        description="4 to 15 digits, as the end user typed or pasted them. Spaces, a leading +, hyphens and dots "
        "inside, and invisible characters are dropped. A code that iOS filled in twice (123456123456) is read once.",
    ),
]  # fmt: skip
Id = Annotated[UUID, Meta(description="The verification's id.", examples=["01a2001c-325a-71f0-9c85-1a4935d9dd81"])]
CreatedAt = Annotated[
    datetime, Meta(tz=True, description="When it was requested.", examples=["2026-01-31T12:00:00.000000Z"])
]
ExpiresAt = Annotated[
    datetime, Meta(tz=True, description="Until when a code is accepted.", examples=["2026-01-31T12:05:00.000000Z"])
]
VerifiedAt = Annotated[
    datetime, Meta(tz=True, description="When the right code was entered.", examples=["2026-01-31T12:01:07.000000Z"])
]
AvailableAt = Annotated[
    datetime, Meta(tz=True, description="From when on it may be requested.", examples=["2026-01-31T12:00:30.000000Z"])
]
Remaining = Annotated[int, Meta(ge=0, description="How many more codes may be tried.", examples=[5])]
Verified = Annotated[bool, Meta(description="Whether this code was right. Act on this field only.", examples=[True])]


class FallbackOffer(msgspec.Struct):
    """The next channel, and from when on it may be requested."""

    channel: NextChannel
    available_at: AvailableAt


Fallback = Annotated[
    FallbackOffer | None, Meta(description="What may be requested next; null when no channel is left, or it has ended.")
]
Explained = Annotated[
    SendDecision | msgspec.UnsetType | None,
    Meta(
        description="Why its newest send was allowed or suppressed; null before that is decided. Only in a test "
        "client's status when it is read, and only if X-Explain asked for it: a production key never gets it."
    ),
]
Message = Annotated[str, Meta(description="What you may show to every end user.", examples=[MESSAGE])]


# Unknown fields are refused: a misspelt `deliver: false`, ignored, would send a code.
class VerificationRequest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to verify, and what is known of the requester."""

    phone_number: PhoneNumber
    ip_address: IpAddress | None = None
    account_id: AccountId | None = None
    device_event_id: DeviceEventId | None = None
    device_sealed_result: SealedResult | None = None
    captcha_token: CaptchaToken | None = None
    channel: FirstChannel = DEFAULT
    deliver: Deliver = True


class CodeCheck(msgspec.Struct, forbid_unknown_fields=True):
    """A code to check."""

    code: Code


class VerificationAccepted(msgspec.Struct):
    """Accepted: the same for every number."""

    id: Id
    status: Status
    created_at: CreatedAt
    expires_at: ExpiresAt
    attempts_remaining: Remaining
    fallback: Fallback
    message: Message


class VerificationStatus(msgspec.Struct):
    """The status of a verification. `decision` is left out unless a test client asked for it."""

    id: Id
    status: Status
    created_at: CreatedAt
    expires_at: ExpiresAt
    verified_at: VerifiedAt | None
    attempts_remaining: Remaining
    fallback: Fallback
    decision: Explained = msgspec.UNSET


class CodeChecked(msgspec.Struct):
    """The result of a code check."""

    id: Id
    status: Status
    verified: Verified
    attempts_remaining: Remaining


class Health(msgspec.Struct):
    """That the process answers."""

    status: Annotated[Literal["ok"], Meta(description="Always ok.", extra_json_schema=TEXT)] = "ok"


class Received(msgspec.Struct):
    """Confirms that a webhook was accepted."""

    received: Annotated[bool, Meta(description="Always true.", examples=[True])] = True
