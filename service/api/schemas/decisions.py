"""A decision as it goes over the wire: to operators, and to a test client that asks for it.

Used by schemas.product and schemas.operator. Plain structures, filled from what was recorded; no digit of a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from service.channels import Channel
from service.fraud.decision import WAIVED
from service.policy.rules import Rules

TEXT = {"type": "string"}  # msgspec leaves the type out beside an enum
# A title makes a component of it, which every field that has it refers to.
AnyChannel = Annotated[Channel, Meta(title="Channel", extra_json_schema=TEXT)]


def word_of(words: Iterable[str]) -> dict[str, object]:
    """Say in the OpenAPI file which words a text can be.

    Not a Literal, which would have a reply fail on what another version has stored.
    """
    return {"enum": [*words]}


RULES = (*(field.name for field in msgspec.structs.fields(Rules)), "budget", "budget_country", "budget_unconverted")
AnyRule = Annotated[str, Meta(title="RuleName", extra_json_schema=word_of(RULES))]
RuleName = Annotated[AnyRule, Meta(description="The rule.", examples=["sequential"])]
RuleMode = Annotated[
    str,
    Meta(
        title="RuleMode",
        description="The rule's mode; lifted: an operator waived it for this number.",
        examples=["enforce", "observe"],
        extra_json_schema=word_of(("observe", "enforce", WAIVED)),
    ),
]


class RuleFinding(msgspec.Struct):
    """What one rule objected to."""

    rule: RuleName
    mode: RuleMode
    detail: Annotated[str, Meta(description="What it saw.", examples=["block_10k 6.9"])]
    reason: Annotated[
        str,
        Meta(
            description="The same as a sentence, for rules on histories; never a whole number.",
            examples=["6 of 6 codes to GB +447465… (10,000 numbers) not entered since 10:02 UTC"],
        ),
    ] = ""


class SendDecision(msgspec.Struct):
    """A decision as recorded. A rule that is not among the findings did not object, was off, or was not asked."""

    allow: Annotated[bool, Meta(description="Whether the send was allowed.", examples=[False])]
    findings: Annotated[list[RuleFinding], Meta(description="Every rule that objected, in whatever mode.")]
    facts: Annotated[
        dict[str, Any],
        Meta(
            title="SendFacts",
            description="What the rules saw. Histories do not contain the digits of numbers.",
            examples=[{"number": {"country": "US", "valid": True, "kind": "mobile"}, "channel": "sms"}],
        ),
    ]
    policy_version: Annotated[str, Meta(description="The policy's version.", examples=["0f8b2c6d1e57"])]
    by: (
        Annotated[
            AnyChannel,
            Meta(
                description="The channel used instead of the one requested: a landline's sms goes as a call.",
                examples=["call"],
            ),
        ]
        | None
    )
