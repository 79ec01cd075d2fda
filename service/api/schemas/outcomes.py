"""What operators get of outcomes and observed clients, field by field, with the OpenAPI file's descriptions.

Used by api.operator.outcomes and api.openapi.operator_examples. Plain structures.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.api.schemas.decisions import TEXT
from service.api.schemas.operator import NOON, BeganAt, Client

Numbers = Annotated[int, Meta(ge=0, description="How many numbers, each counted once.", examples=[120])]
WereVerified = Annotated[
    int,
    Meta(ge=0, description="How many of them were verified within a day of the request: people.", examples=[3]),
]
StillOpen = Annotated[
    int, Meta(ge=0, description="How many of them were not verified, and their day is not over.", examples=[5])
]


class OutcomeSeen(msgspec.Struct):
    """What became of the numbers to which a rule objected."""

    client: Client
    rule: Annotated[str | None, Meta(description="The rule; null for all rules of the mode.", examples=["range"])]
    mode: Annotated[
        Literal["observe", "enforce"],
        Meta(description="Whether it stopped them, or would have.", examples=["enforce"], extra_json_schema=TEXT),
    ]
    numbers: Numbers
    verified: WereVerified
    open: StillOpen
    verified_share: Annotated[
        float, Meta(ge=0, le=1, description="The measured share of false positives, at least.", examples=[0.025])
    ]


class OutcomeList(msgspec.Struct):
    """The outcomes of a window."""

    outcomes: Annotated[list[OutcomeSeen], Meta(description="By client and mode, the rule with most numbers first.")]


class ObservationSeen(msgspec.Struct):
    """A period in which a client's rules only observe, and what they would have stopped."""

    client: Client
    since: BeganAt
    until: Annotated[datetime, Meta(tz=True, description="From when on they are enforced.", examples=[NOON])]
    set_by: Annotated[
        Literal["policy", "key"],
        Meta(description="`enforce_from`, or `keys create --observe`.", examples=["key"], extra_json_schema=TEXT),
    ]
    over: Annotated[bool, Meta(description="Whether the rules are enforced now.", examples=[True])]
    numbers: Numbers
    suppressed: Annotated[
        int, Meta(ge=0, description="Of these: a rule objected that is enforced after the period.", examples=[12])
    ]
    verified: WereVerified
    open: StillOpen
    rules: Annotated[list[OutcomeSeen], Meta(description="The same, for each of these rules.")]


class ObservationList(msgspec.Struct):
    """The observed clients."""

    observations: Annotated[list[ObservationSeen], Meta(description="By the client's name.")]
