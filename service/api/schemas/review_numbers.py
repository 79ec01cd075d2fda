"""What operators send and get of review numbers, with the descriptions and examples of the OpenAPI file.

Used by api.operator.review_numbers and openapi.operator_examples; filled from the values of the same names in
operators.overrides.review_numbers.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

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
from service.api.schemas.operator_records import ClientName
from service.api.schemas.product import NO_NUL, PhoneNumber

FixedCode = Annotated[
    str,
    Meta(pattern=r"^[0-9]{4,10}\Z", examples=["482913"], description="The code: as many digits as the client's codes."),
]


class ReviewNumberOrder(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which number is fixed for which client, for how long, and why."""

    client: Annotated[
        str,
        Meta(min_length=1, max_length=64, pattern=NO_NUL, examples=["shop"], description="A production client's name."),
    ]
    phone_number: PhoneNumber
    duration: Annotated[
        str,
        Meta(
            pattern=LENGTH,
            examples=["30d"],
            description="For how long: a whole number and s, m, h or d; at most 90d.",
        ),
    ]
    reason: Reason
    code: FixedCode | None = None


class ReviewNumberSeen(msgspec.Struct):
    """A review number: nothing is sent to it, and its code is the one that was fixed."""

    id: Annotated[int, Meta(ge=1, description="The id by which to lift it.", examples=[1])]
    client: ClientName
    number: Annotated[str, Meta(description="Country code and last two digits.", examples=["+1…23"])]
    reason: Reason
    began_at: BeganAt
    until: Until
    lifted_at: LiftedAt | None
    set_by: SetBy
    in_force: InForce


class ReviewNumberMade(msgspec.Struct):
    """A review number that was set, and its code, which is shown this once."""

    review_number: Annotated[ReviewNumberSeen, Meta(description="What was set.")]
    code: FixedCode


class ReviewNumberList(msgspec.Struct):
    """Review numbers in force, and those that ended within a day."""

    review_numbers: Annotated[list[ReviewNumberSeen], Meta(description="Those in force first, the newest first.")]
    next_cursor: NextCursor | None
