"""What operators get of the service's activity, of a number's limits and of backtests, with the OpenAPI descriptions.

Used by api.operator.insight and api.openapi.operator_examples. Plain structures, filled from values of the same names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from service.api.schemas.decisions import RuleName
from service.api.schemas.operator import LENGTH, NOON, At, Client
from service.api.schemas.product import PhoneNumber
from service.operators.explaining.explanations import LIMITS

Requests = Annotated[int, Meta(ge=0, description="Verifications requested, decoys among them.", examples=[130])]
Decoys = Annotated[int, Meta(ge=0, description="Of these, decoys.", examples=[10])]
Sends = Annotated[int, Meta(ge=0, description="Codes that went out.", examples=[100])]
Suppressed = Annotated[int, Meta(ge=0, description="Sends that a rule suppressed.", examples=[20])]
Converted = Annotated[int, Meta(ge=0, description="Codes entered, counted at the time of the request.", examples=[75])]
Limited = Annotated[int, Meta(ge=0, description="Requests that a limit refused (429).", examples=[4])]
Share = Annotated[float, Meta(ge=0, le=1, description="How much of it is done.", examples=[1.0])]
BacktestId = Annotated[UUID, Meta(description="The backtest.", examples=["01a2001c-325a-71f0-9c85-1a4935d9dd81"])]


class ActivityStep(msgspec.Struct):
    """What happened in one minute, hour or day (UTC), without test clients."""

    at: Annotated[datetime, Meta(tz=True, description="When it began.", examples=[NOON])]
    requests: Requests
    decoys: Decoys
    sends: Sends
    suppressed: Suppressed
    converted: Converted
    limited: Limited


class ActivityPart(msgspec.Struct):
    """The same for one client, country or channel."""

    name: Annotated[str, Meta(description="The client, country or channel.", examples=["US"])]
    requests: Requests
    decoys: Decoys
    sends: Sends
    suppressed: Suppressed
    converted: Converted
    limited: Limited


Parts = Annotated[list[ActivityPart], Meta(description="The busiest first, 100 at most.")]


class ActivitySeen(msgspec.Struct):
    """What the service did: every step of a window, and its sums. A count is two seconds old at most."""

    steps: Annotated[list[ActivityStep], Meta(description="The oldest first, without gaps.")]
    clients: Parts
    countries: Parts
    channels: Parts


class LimitsOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A number whose limits are looked up. The look-up is recorded in audits, as a search."""

    phone_number: PhoneNumber


class FullLimitSeen(msgspec.Struct):
    """A limit of a number that is full, or was within a day."""

    client: Annotated[Client | None, Meta(description="Whose limit; null for one over all clients.")]
    name: Annotated[
        str,
        Meta(
            description="The policy's name of it; ip and account: of those that requested the number.",
            examples=["phone"],
            extra_json_schema={"enum": [*LIMITS]},
        ),
    ]
    max: Annotated[int, Meta(ge=1, description="How many it allows.", examples=[3])]
    seconds: Annotated[float, Meta(ge=0, description="Within how long.", examples=[600.0])]
    since: Annotated[datetime, Meta(tz=True, description="Since when it was full.", examples=[NOON])]
    until: Annotated[datetime, Meta(tz=True, description="Until when.", examples=[NOON])]
    in_force: Annotated[bool, Meta(description="Whether it is full now.", examples=[True])]


class RefusedSeen(msgspec.Struct):
    """Requests of one client for the number that were answered 429 within an hour."""

    client: Client
    first_at: At
    last_at: At
    count: Annotated[int, Meta(ge=1, description="How many.", examples=[2])]


class LimitsSeen(msgspec.Struct):
    """What limits do to a number, and did: within a day, and for refused requests within a week."""

    limits: Annotated[list[FullLimitSeen], Meta(description="Those that are full now first.")]
    refused: Annotated[list[RefusedSeen], Meta(description="The newest first.")]


class BacktestOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A policy file to try on recorded sends."""

    policy: Annotated[
        str,
        Meta(
            max_length=40_000, examples=['[rules.vpn]\nmode = "enforce"\n'],
            description="The file's text, TOML: what differs from the shipped policy.",
        ),
    ]  # fmt: skip
    window: Annotated[
        str,
        Meta(
            pattern=LENGTH, examples=["7d"],
            description="How far back: a whole number and s, m, h or d, at most 30d.",
        ),
    ] = "7d"  # fmt: skip


class BacktestStarted(msgspec.Struct):
    """A backtest that runs."""

    id: BacktestId


Count = Annotated[int, Meta(ge=0, description="How many sends.", examples=[14])]
Amount = Annotated[float, Meta(ge=0, description="By the policy's price list.", examples=[0.112])]


class BacktestRule(msgspec.Struct):
    """The sends that a rule suppressed then, and would suppress."""

    rule: RuleName
    before: Annotated[Count, Meta(description="Suppressed then.")]
    after: Annotated[Count, Meta(description="Suppressed under the policy tried.")]
    gained: Annotated[Count, Meta(description="Suppressed only under it.")]
    gained_sent: Annotated[Count, Meta(description="Of those gained, the ones that went out.")]
    gained_verified: Annotated[Count, Meta(description="Of those, the ones that were verified: people.")]
    lost: Annotated[Count, Meta(description="Suppressed only then.")]
    lost_released: Annotated[Count, Meta(description="Of those lost, the ones that no other rule suppresses.")]


class BacktestChanges(msgspec.Struct):
    """What would have been different under the policy tried."""

    currency: Annotated[str, Meta(description="The currency of the price list.", examples=["USD"])]
    decided: Annotated[Count, Meta(description="Sends decided again.")]
    undecodable: Annotated[Count, Meta(description="Left out: decisions of other versions.")]
    suppressed_before: Annotated[Count, Meta(description="Suppressed then.")]
    suppressed_after: Annotated[Count, Meta(description="Suppressed under the policy tried.")]
    newly_suppressed: Annotated[Count, Meta(description="Let through then, and suppressed under it.")]
    newly_suppressed_sent: Annotated[Count, Meta(description="Of these, the ones that went out.")]
    newly_suppressed_verified: Annotated[Count, Meta(description="Of those, the ones that were verified: people.")]
    newly_released: Annotated[Count, Meta(description="Suppressed then, and let through under it.")]
    unasked: Annotated[Count, Meta(description="Of these, those for which some rules were not asked then.")]
    saved: Annotated[Amount, Meta(description="What those that went out cost.")]
    saved_verified: Annotated[Amount, Meta(description="Of it, on people.")]
    added: Annotated[Amount, Meta(description="What those let through would have cost.")]
    rules: Annotated[list[BacktestRule], Meta(description="By rule.")]


class BacktestSeen(msgspec.Struct):
    """How far a backtest is, and what came of it."""

    id: BacktestId
    version: Annotated[str, Meta(description="The version of the policy tried.", examples=["0f8b2c6d1e57"])]
    began_at: At
    ended_at: At | None
    share: Share
    interrupted: Annotated[bool, Meta(description="true: the process that ran it is gone.", examples=[False])]
    error: Annotated[str, Meta(description="Why it failed.", examples=["The database did not answer."])] | None
    changes: Annotated[BacktestChanges | None, Meta(description="What would have been different; null until it ends.")]
