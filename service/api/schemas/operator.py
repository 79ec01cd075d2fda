"""What operators send and get, field by field, with the descriptions and examples of the OpenAPI file.

Used by api.operator and api.openapi.operator_examples. Plain structures, filled from the values of the same names in
operators.explaining.verification_detail and operators.overrides.blocks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from service.api.schemas.decisions import TEXT, AnyChannel, AnyRule, RuleMode, RuleName, SendDecision, word_of
from service.api.schemas.product import NO_NUL, CreatedAt, ExpiresAt, Id, PhoneNumber, Status
from service.channels import DEFAULT
from service.providers.verify.protocol import Delivery
from service.verification.states import Cause, SendState

LENGTH = r"^[1-9][0-9]{0,5}[smhd]\Z"
NOON = "2026-01-31T12:00:00.000000Z"

At = Annotated[datetime, Meta(tz=True, description="When it happened.", examples=[NOON])]
BeganAt = Annotated[datetime, Meta(tz=True, description="When it began.", examples=[NOON])]
Until = Annotated[datetime, Meta(tz=True, description="When it ends, unless it is lifted before.", examples=[NOON])]
LiftedAt = Annotated[datetime, Meta(tz=True, description="When somebody lifted it.", examples=[NOON])]
Since = Annotated[datetime, Meta(tz=True, description="Where the window begins.", examples=[NOON])]
Now = Annotated[datetime, Meta(tz=True, description="Where it ends: now.", examples=["2026-01-31T13:00:00.000000Z"])]
InForce = Annotated[bool, Meta(description="Whether it is in force now.", examples=[True])]
SetBy = Annotated[str, Meta(description="A rule, or the id of the key that set it.", examples=["key 2", "rule"])]
Reason = Annotated[
    str,
    Meta(
        min_length=3, max_length=200, pattern=NO_NUL, examples=["Pumped since noon, ticket 4711"],
        description="Why, for whoever reads it later. No phone numbers: what looks like one is refused.",
    ),
]  # fmt: skip
Duration = Annotated[
    str,
    Meta(pattern=LENGTH, examples=["30m"], description="For how long: a whole number and s, m, h or d; at most 30d."),
]
Client = Annotated[str, Meta(description="Whose verification it is.", examples=["shop"])]
Test = Annotated[bool, Meta(description="Whether it is a test client's.", examples=[False])]
Deliver = Annotated[bool, Meta(description="false: the client asked for a decoy.", examples=[True])]
Country = Annotated[str, Meta(description="ISO 3166 alpha-2; ? for a number without a country.", examples=["US"])]
OfChannel = Annotated[AnyChannel, Meta(description="The channel.", examples=[DEFAULT])]
NextCursor = Annotated[
    str, Meta(description="The next page's cursor; null: this is the last one.", examples=["WzQyXQ"])
]


class SendSeen(msgspec.Struct):
    """One send, and how it ended."""

    ordinal: Annotated[int, Meta(ge=1, description="Its place in the verification.", examples=[1])]
    channel: OfChannel
    cause: Annotated[
        Cause, Meta(description="Why it was made.", examples=["request", "press", "failed"], extra_json_schema=TEXT)
    ]
    state: Annotated[
        SendState, Meta(description="Its state.", examples=["sent", "refused", "in_doubt"], extra_json_schema=TEXT)
    ]
    wanted_at: At
    begun_at: At | None
    ended_at: At | None
    attempts: Annotated[int, Meta(ge=0, description="How often it was tried.", examples=[1])]
    provider: (
        Annotated[
            str, Meta(description="Who accepted it; silent: nobody, because it was suppressed.", examples=["telnyx"])
        ]
        | None
    )
    error: (
        Annotated[
            str,
            Meta(
                description="Why it did not go out; of one that was given up, also its last cause.",
                examples=["deadline: no_connection"],
            ),
        ]
        | None
    )
    delivery: (
        Annotated[
            str,
            Meta(
                description="What Telnyx reported of its delivery.",
                examples=["delivered"],
                extra_json_schema=word_of(get_args(Delivery)),
            ),
        ]
        | None
    )
    delivery_at: At | None
    decision: Annotated[
        SendDecision | None, Meta(description="Why it was allowed or suppressed; null before that is decided.")
    ]


class TimelineEvent(msgspec.Struct):
    """Something that happened to a verification."""

    at: At
    what: Annotated[str, Meta(description="What happened.", examples=["sms suppressed", "code wrong"])]
    send: Annotated[int, Meta(ge=1, description="Which send it is about.", examples=[1])] | None


class VerificationSeen(msgspec.Struct):
    """A verification as operators see it: whose it is and why, never the whole number."""

    id: Id
    client: Client
    test: Test
    deliver: Deliver
    status: Status
    number: (
        Annotated[
            str, Meta(description="Country code and last two digits; null once it has ended.", examples=["+1…42"])
        ]
        | None
    )
    country: Country | None
    created_at: CreatedAt
    expires_at: ExpiresAt
    closed_at: At | None
    wrong_codes: Annotated[int, Meta(ge=0, description="How many wrong codes were tried.", examples=[1])]
    sends: Annotated[list[SendSeen], Meta(description="Its sends, in order.")]
    events: Annotated[list[TimelineEvent], Meta(description="What happened, in order.")]


class NumberSearch(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A number to search for. The search is recorded in audits."""

    phone_number: PhoneNumber
    limit: Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 if left out.", examples=[50])] = 50
    cursor: (
        Annotated[
            str,
            Meta(
                pattern=r"^[A-Za-z0-9_-]{1,600}\Z",
                description="The next_cursor of the page before.",
                examples=["WzQyXQ"],
            ),
        ]
        | None
    ) = None


class MatchSeen(msgspec.Struct):
    """One verification of the number."""

    id: Id
    client: Client
    test: Test
    deliver: Deliver
    status: Status
    created_at: CreatedAt
    channels: Annotated[list[AnyChannel], Meta(description="The channels requested.", examples=[["sms"]])]
    suppressed_by: Annotated[
        list[AnyRule],
        Meta(description="The rules that suppressed a send of it.", examples=[["country"]]),
    ]


class NumberFound(msgspec.Struct):
    """The verifications of a number, of every client."""

    verifications: Annotated[list[MatchSeen], Meta(description="The newest first.")]
    next_cursor: NextCursor | None


class RuleCount(msgspec.Struct):
    """How often a rule objected."""

    rule: RuleName
    mode: RuleMode
    count: Annotated[int, Meta(ge=0, description="How many sends.", examples=[12])]


class GroupCount(msgspec.Struct):
    """The sends of one country by one channel."""

    country: Country
    channel: OfChannel
    requests: Annotated[int, Meta(ge=0, description="Sends that were requested.", examples=[120])]
    sends: Annotated[int, Meta(ge=0, description="Of these, those that went out.", examples=[100])]
    suppressed: Annotated[int, Meta(ge=0, description="Of these, those that a rule suppressed.", examples=[20])]
    verified: Annotated[
        int, Meta(ge=0, description="Of those that went out, those whose verification was verified.", examples=[75])
    ]


class TrafficSummary(msgspec.Struct):
    """What was requested within a window, without test clients."""

    since: Since
    until: Now
    requests: Annotated[int, Meta(ge=0, description="Verifications that were admitted.", examples=[130])]
    decoys: Annotated[int, Meta(ge=0, description="Of these, decoys.", examples=[10])]
    sends: Annotated[int, Meta(ge=0, description="Codes that went out.", examples=[100])]
    suppressed: Annotated[int, Meta(ge=0, description="Sends that a rule suppressed.", examples=[20])]
    sent_to: Annotated[int, Meta(ge=0, description="Verifications for which a code went out.", examples=[100])]
    verified: Annotated[int, Meta(ge=0, description="Of these, verified.", examples=[75])]
    verified_share: Annotated[float, Meta(ge=0, le=1, description="verified / sent_to.", examples=[0.75])] | None
    groups: Annotated[list[GroupCount], Meta(description="By country and channel, the busiest first.")]
    findings: Annotated[list[RuleCount], Meta(description="By rule and mode, the most frequent first.")]


class BlockOrder(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What to block, one of these: a range (phone_number and digits), a country, an address or a device."""

    duration: Duration
    reason: Reason
    phone_number: PhoneNumber | None = None
    digits: (
        Annotated[
            int,
            Meta(ge=4, le=6, description="For a range: how many last digits of phone_number may vary.", examples=[4]),
        ]
        | None
    ) = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", description="ISO 3166 alpha-2.", examples=["US"])] | None = (
        None
    )
    ip_address: (
        Annotated[
            str,
            Meta(
                min_length=2, max_length=45, pattern=NO_NUL, examples=["203.0.113.9"],
                description="An end user's address; IPv6 blocks its /64.",
            ),
        ]
        | None
    ) = None  # fmt: skip
    visitor_id: (
        Annotated[
            str,
            Meta(
                min_length=1, max_length=128, pattern=NO_NUL, examples=["Ibk1527CUFmcnjLwIs4A9"],
                description="A device, as Fingerprint names it.",
            ),
        ]
        | None
    ) = None  # fmt: skip


class BlockSeen(msgspec.Struct):
    """A block: while it is in force nothing goes out to it, and no reply reveals that."""

    id: Annotated[int, Meta(ge=1, description="The id by which to lift it.", examples=[17])]
    kind: Annotated[
        Literal["range", "country", "ip", "device"],
        Meta(title="BlockKind", description="What is blocked.", examples=["range"], extra_json_schema=TEXT),
    ]
    label: Annotated[str, Meta(description="What is blocked, without anybody's number.", examples=["US block_10k"])]
    reason: Annotated[
        str,
        Meta(
            description="Why.",
            examples=["6 of 6 codes to GB +447465… (10,000 numbers) not entered since 10:02 UTC"],
        ),
    ]
    level: Annotated[
        int, Meta(ge=0, description="How often a rule has doubled its length, from 5 minutes.", examples=[0])
    ]
    began_at: BeganAt
    until: Until
    lifted_at: LiftedAt | None
    set_by: SetBy
    in_force: InForce


class BlockList(msgspec.Struct):
    """Blocks in force, and those that ended within a day."""

    blocks: Annotated[
        list[BlockSeen], Meta(description="Those in force first, operators' before rules', the newest first.")
    ]
    next_cursor: NextCursor | None
