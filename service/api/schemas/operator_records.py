"""What operators send and get of money, audits, alerts, keys and clients, field by field.

Used by api.operator and api.openapi.operator_examples. Plain structures, filled from the values of the same names in
operators.records and operators.explaining.verification_detail.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.api.schemas.decisions import TEXT, word_of
from service.api.schemas.operator import LENGTH, NOON, At, Client, Country, NextCursor, OfChannel
from service.clients.caller import Scope
from service.operators.records import ALERT_KINDS

Action = Literal[
    "search", "block", "unblock", "exempt", "unexempt", "erase", "create_key", "revoke_key", "set_callbacks",
    "rotate_callbacks", "enable_callbacks", "disable_callbacks", "remove_callbacks", "replay_callbacks",
    "sign_in", "sign_out", "backtest",
    "set_review_number", "lift_review_number",
]  # fmt: skip
ClientName = Annotated[str, Meta(description="The client's name.", examples=["shop"])]
OfTest = Annotated[bool, Meta(description="Whether it is a test client.", examples=[False])]
OfScope = Annotated[
    Scope,
    Meta(
        title="KeyScope",
        description="What the key opens: the product's calls, the operator's and the metrics, or the metrics alone.",
        examples=["verify"],
        extra_json_schema=TEXT,
    ),
]
LastUsedAt = Annotated[
    datetime, Meta(tz=True, description="When it was used last; at most a minute behind.", examples=[NOON])
]


Money = Annotated[
    float,
    Meta(
        ge=0, examples=[0.112],
        description="In the currency of the policy's prices: a decimal, exact to a millionth.",
    ),
]  # fmt: skip


class LedgerLine(msgspec.Struct):
    """One day of one client, country and channel."""

    day: Annotated[date, Meta(description="The day, UTC.", examples=["2026-01-31"])]
    client: Client
    country: Country
    channel: OfChannel
    sends: Annotated[int, Meta(ge=0, description="Codes that went out.", examples=[100])]
    spent: Money
    suppressed: Annotated[int, Meta(ge=0, description="Sends that a rule or a budget suppressed.", examples=[20])] = (
        msgspec.field(name="stopped")
    )
    saved: Money


class Ledger(msgspec.Struct):
    """What was spent, and what the suppressed sends would have cost: in the whole window, and by line."""

    spent: Money
    saved: Money
    lines: Annotated[list[LedgerLine], Meta(description="The newest day first.")]
    next_cursor: NextCursor | None


class AuditSeen(msgspec.Struct):
    """What somebody did: a search, or a change."""

    id: Annotated[int, Meta(ge=1, description="Counts up.", examples=[42])]
    at: At
    key_id: (
        Annotated[int, Meta(ge=1, description="The key with which it was done; null: the command line.", examples=[2])]
        | None
    )
    client: Annotated[str, Meta(description="Whose key that is.", examples=["desk"])] | None
    action: Annotated[Action, Meta(description="What was done.", examples=["block"], extra_json_schema=TEXT)]
    row_id: Annotated[int, Meta(ge=1, description="The block, exemption or key it was done to.", examples=[17])] | None
    reason: Annotated[str, Meta(description="Why, as it was given.", examples=["Pumped since noon"])] | None


class AuditList(msgspec.Struct):
    """What operators did."""

    audits: Annotated[list[AuditSeen], Meta(description="The newest first.")]
    next_cursor: NextCursor | None


class AlertSeen(msgspec.Struct):
    """One incident."""

    id: Annotated[int, Meta(ge=1, description="Counts up.", examples=[8])]
    kind: Annotated[str, Meta(description="What it is.", examples=["block"], extra_json_schema=word_of(ALERT_KINDS))]
    about: (
        Annotated[str, Meta(description="Which of its kind, where there can be several.", examples=["US block_10k"])]
        | None
    )
    text: Annotated[
        str, Meta(description="What was reported.", examples=["A rule has blocked US block_10k: chance 1e-9."])
    ]
    began_at: Annotated[datetime, Meta(tz=True, description="When it was first seen.", examples=[NOON])]
    seen_at: Annotated[datetime, Meta(tz=True, description="When it was last seen.", examples=[NOON])]
    ended_at: (
        Annotated[datetime, Meta(tz=True, description="When it was over; null: it is open.", examples=[NOON])] | None
    )


class AlertList(msgspec.Struct):
    """Incidents that are open, and past ones."""

    alerts: Annotated[list[AlertSeen], Meta(description="The newest first.")]
    next_cursor: NextCursor | None


class ClientSeen(msgspec.Struct):
    """One client."""

    id: Annotated[int, Meta(ge=1, description="Counts up.", examples=[1])]
    name: ClientName
    test: OfTest
    created_at: Annotated[datetime, Meta(tz=True, description="When its first key was made.", examples=[NOON])]
    last_used_at: LastUsedAt | None
    keys: Annotated[int, Meta(ge=0, description="How many of its keys are valid.", examples=[2])]


class ClientList(msgspec.Struct):
    """Clients."""

    clients: Annotated[list[ClientSeen], Meta(description="The newest first.")]
    next_cursor: NextCursor | None


class KeySeen(msgspec.Struct):
    """One key, never the key itself."""

    id: Annotated[int, Meta(ge=1, description="The id by which to revoke it.", examples=[2])]
    client: ClientName
    test: OfTest
    scope: OfScope
    hint: Annotated[str, Meta(description="How it begins.", examples=["vg_x7Qp"])]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was made.", examples=[NOON])]
    last_used_at: LastUsedAt | None
    ends_at: Annotated[datetime, Meta(tz=True, description="When it ends; null: never.", examples=[NOON])] | None
    revoked_at: Annotated[datetime, Meta(tz=True, description="When it was revoked.", examples=[NOON])] | None


class KeyList(msgspec.Struct):
    """Keys."""

    keys: Annotated[list[KeySeen], Meta(description="The newest first.")]
    next_cursor: NextCursor | None


class KeyOrder(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which key to make."""

    client: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\Z", examples=["shop"],
            description="The client that it belongs to: limits and settings apply to all keys of a name.",
        ),
    ]  # fmt: skip
    scope: Annotated[
        Literal["verify", "metrics"],
        Meta(
            title="MadeScope",
            description="What the key is to open; verify if left out. The command line alone makes operators' keys.",
            examples=["verify"],
            extra_json_schema=TEXT,
        ),
    ] = "verify"
    test: Annotated[
        bool,
        Meta(
            description="true: a test client's; false if left out. Its numbers never reach Telnyx. A client stays what "
            "it was made.",
            examples=[False],
        ),
    ] = False
    duration: (
        Annotated[
            str,
            Meta(
                pattern=LENGTH,
                examples=["90d"],
                description="How long it is valid: a whole number and s, m, h or d, at most 3650d; for good without.",
            ),
        ]
        | None
    ) = None


class KeyMade(msgspec.Struct):
    """A new key. It is in no other reply: keep it now."""

    id: Annotated[int, Meta(ge=1, description="The id by which to revoke it.", examples=[2])]
    key: Annotated[str, Meta(description="The key.", examples=["vg_the-key-itself"])]


class KeyRevoked(msgspec.Struct):
    """A key that is no longer valid."""

    id: Annotated[int, Meta(ge=1, description="Its id.", examples=[2])]
