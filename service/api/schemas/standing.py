"""What operators get of how things stand, with the OpenAPI descriptions: the queue, Telnyx, the policy, the doctor.

Used by api.operator.standing and api.openapi.operator_examples. Plain structures, filled from values of the same names.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from service.api.schemas.operator import At
from service.operators.doctor.diagnosis import Status

Version = Annotated[str, Meta(description="A policy's version.", examples=["0f8b2c6d1e57"])]
Seconds = Annotated[float, Meta(ge=0, description="Seconds.", examples=[0.8])]


class QueueSeen(msgspec.Struct):
    """What is due and waits."""

    due: Annotated[int, Meta(ge=0, description="How many verifications; counted to 10,000.", examples=[3])]
    oldest: Annotated[float, Meta(ge=0, description="Seconds for which the first has been due.", examples=[0.2])]


class LatencySeen(msgspec.Struct):
    """How long the newest sends of the last hour took, from being wanted to Telnyx' answer."""

    sends: Annotated[int, Meta(ge=0, description="How many sends that is.", examples=[120])]
    middle: Annotated[Seconds | None, Meta(description="Half were quicker; null without sends.")]
    slow: Annotated[Seconds | None, Meta(description="95 % were quicker; null without sends.")]


class BreakerSeen(msgspec.Struct):
    """One circuit breaker towards Telnyx, of the process that answers."""

    clients: Annotated[
        list[str] | None,
        Meta(
            description="Whose Verify profile it is for; * is whoever has none of their own. null: for everybody.",
            examples=[["shop"]],
        ),
    ]
    open: Annotated[bool, Meta(description="true: requests of theirs are answered 503.", examples=[True])]
    reason: Annotated[str, Meta(description="Why it is open.", examples=["ours_20100"])] | None


class SituationSeen(msgspec.Struct):
    """What waits, how long sends take, and whether Telnyx takes them."""

    queue: Annotated[QueueSeen, Meta(description="What waits.")]
    latency: Annotated[LatencySeen, Meta(description="How long sends take.")]
    paused_for: Annotated[float, Meta(ge=0, description="Seconds for which Telnyx throttles us.", examples=[0.0])]
    breakers: Annotated[list[BreakerSeen], Meta(description="For everybody, then by Verify profile.")]


class PolicyDifference(msgspec.Struct):
    """A setting that is not as shipped; both values as TOML."""

    setting: Annotated[str, Meta(description="Its place in the file.", examples=["rules.vpn.mode"])]
    value: Annotated[str, Meta(description="Its value.", examples=['"enforce"'])]
    shipped: Annotated[str, Meta(description="As shipped; null: nothing is.", examples=['"observe"'])] | None


class PolicyFile(msgspec.Struct):
    """The policy file as it is now. It is in force if the versions agree; otherwise from the next start."""

    version: Version
    text: Annotated[str, Meta(description="The whole policy, as TOML.", examples=["[rules.vpn]\n"])]
    differences: Annotated[list[PolicyDifference], Meta(description="What is not as shipped.")]


class PolicySeen(msgspec.Struct):
    """The policy in force, beside its file."""

    version: Version
    file: Annotated[PolicyFile | None, Meta(description="null: it cannot be read as a policy.")]
    error: Annotated[str, Meta(description="What is wrong with the file.", examples=["line 2: no such key"])] | None


class DoctorPoint(msgspec.Struct):
    """One point as it was found."""

    name: Annotated[str, Meta(description="Its name, as in DOCTOR_ACCEPTED.", examples=["phone_limit"])]
    title: Annotated[str, Meta(description="What it is about.", examples=["Limit for each phone number"])]
    guide: Annotated[bool, Meta(description="Whether it is one of Telnyx' sixteen.", examples=[True])]
    status: Annotated[Status, Meta(description="How it stands.", examples=["pass"])]
    seen: Annotated[str, Meta(description="What was found.", examples=["3 requests in 10 min."])]
    remedy: Annotated[str, Meta(description="What to do.", examples=["Set limits.phone."])] | None
    accepted: Annotated[bool, Meta(description="It would warn, and is accepted.", examples=[False])]


class DoctorSeen(msgspec.Struct):
    """The newest examination; asking begins one if there is none, or if it is old."""

    at: At | None
    busy: Annotated[bool, Meta(description="true: another is under way; ask again soon.", examples=[False])]
    points: Annotated[list[DoctorPoint], Meta(description="The worst first; empty before the first examination.")]
