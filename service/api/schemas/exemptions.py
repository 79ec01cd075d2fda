"""What operators send and get of exemptions, with the descriptions and examples of the OpenAPI file.

Used by api.operator.exemptions and openapi.operator_examples; filled from the values of the same names in
operators.overrides.exemptions.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.api.schemas.decisions import TEXT, AnyRule
from service.api.schemas.operator import (
    LENGTH,
    BeganAt,
    InForce,
    LiftedAt,
    NextCursor,
    Reason,
    SetBy,
    Until,
)
from service.api.schemas.product import NO_NUL, PhoneNumber

RuleNames = Annotated[
    list[AnyRule],
    Meta(
        max_length=64, description="Names of rules that may object but suppress nothing.", examples=[["range", "block"]]
    ),
]
LiftLimits = Annotated[
    bool, Meta(description="Whether limits, those of rules too, count but refuse nothing.", examples=[True])
]
LiftLockouts = Annotated[
    bool,
    Meta(
        description="Whether the number's wrong-code budgets refuse nothing. Five still lock a verification.",
        examples=[False],
    ),
]


SafeFromRules = Annotated[
    bool,
    Meta(description="Whether every rule may object but suppress nothing. Limits and budgets hold.", examples=[True]),
]
ExemptedKind = Annotated[
    Literal["number", "range", "country"],
    Meta(title="ExemptionKind", description="What is exempted.", examples=["number"], extra_json_schema=TEXT),
]


class ExemptionOrder(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to exempt (a number, a range or a country), and from what."""

    duration: Annotated[
        str,
        Meta(
            pattern=LENGTH,
            examples=["30m"],
            description="For how long: a whole number and s, m, h or d; at most 1h for a number, unless it is only "
            "`safe`; else at most 90d.",
        ),
    ]
    reason: Reason
    phone_number: PhoneNumber | None = None
    prefix: (
        Annotated[
            str,
            Meta(
                min_length=2,
                max_length=40,
                pattern=NO_NUL,
                examples=["+4474651"],
                description="The beginning of a range's numbers: the calling code and at least four digits more.",
            ),
        ]
        | None
    ) = None
    country: (
        Annotated[
            str,
            Meta(
                min_length=2,
                max_length=2,
                examples=["GB"],
                description="A country, in ISO 3166 "
                "alpha-2: for the rules budget_unconverted, country_conversion and country_spike.",
            ),
        ]
        | None
    ) = None
    safe: SafeFromRules = False
    rules: RuleNames = []
    limits: LiftLimits = False
    lockouts: LiftLockouts = False


class ExemptionSeen(msgspec.Struct):
    """An exemption: what it waives does not stop what is requested for its numbers while it is in force."""

    id: Annotated[int, Meta(ge=1, description="The id by which to lift it.", examples=[3])]
    kind: ExemptedKind
    number: Annotated[
        str,
        Meta(description="Country code and last two digits; the beginning of a range; a country.", examples=["+1…42"]),
    ]
    safe: SafeFromRules
    rules: RuleNames
    limits: LiftLimits
    lockouts: LiftLockouts
    reason: Reason
    began_at: BeganAt
    until: Until
    lifted_at: LiftedAt | None
    set_by: SetBy
    in_force: InForce


class ExemptionList(msgspec.Struct):
    """Exemptions in force, and those that ended within a day."""

    exemptions: Annotated[list[ExemptionSeen], Meta(description="Those in force first, the newest first.")]
    next_cursor: NextCursor | None
