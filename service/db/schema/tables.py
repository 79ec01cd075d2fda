"""The tables of verifications, clients and keys, as SQLAlchemy declares them.

Used by clients.key_admin, and by Alembic, which compares a migrated schema with it (`alembic check`). Holds no
statement and no rule. Keyed hashes (numbers, limit subjects, idempotency keys) are 128 bits in PostgreSQL's uuid type:
sixteen bytes in the row and in its index, compared as two words.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from service.db.schema.columns import BUSY, Base, Count, Created, Moment, OverrideColumns, Small


class ClientRow(Base):
    """A product: owns verifications, budgets and settings under its name, with any number of keys.

    `observed_from`, `observed_until`: the period in which its rules only observe, as `keys create --observe` set it.
    """

    __tablename__ = "clients"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    test: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Created]
    observed_from: Mapped[Moment | None]
    observed_until: Mapped[Moment | None]


class ApiKeyRow(Base):
    """One key of a client. `digest` is keyed with SECRET_KEY; the key itself is stored nowhere.

    `last_used_at` is at most a minute behind; `ends_at`: when the key ends, None for never.
    """

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("scope in ('verify', 'operator', 'metrics')", name="scope"),)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    hint: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[Created]
    revoked_at: Mapped[Moment | None]
    last_used_at: Mapped[Moment | None]
    ends_at: Mapped[Moment | None]


class CounterRow(Base):
    """The last counted times of one subject, newest first, from which every window of that subject is read.

    `unconverted`: those of them whose place was not given back; null where none ever is.
    No index but the key, so that an update touches no index.
    """

    __tablename__ = "counters"
    __table_args__ = (BUSY,)
    subject: Mapped[UUID] = mapped_column(primary_key=True)
    hits: Mapped[list[datetime]] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    unconverted: Mapped[list[datetime] | None] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))


class ExemptionRow(OverrideColumns, Base):
    """What operators waive for a number, a range or a country for a while: limits, lockouts, names of rules, all rules.

    `label`: the number, masked, or the beginning of a range's. `digits`: how many a range's numbers have in common;
    `phone_hash` is then their hash, or the country's.
    """

    __tablename__ = "exemptions"
    __table_args__ = (
        CheckConstraint("kind in ('number', 'range', 'country')", name="kind"),
        Index("ix_exemptions_phone_hash_until", "phone_hash", "until"),
    )
    phone_hash: Mapped[UUID]
    lifts: Mapped[list[str]]
    kind: Mapped[str] = mapped_column(server_default=text("'number'"))
    digits: Mapped[Small | None]


class ReviewNumberRow(OverrideColumns, Base):
    """A number, and the hash of a code, that are fixed for one client (by name) for a while. Nothing is sent to it.

    `label`: the number, masked.
    """

    __tablename__ = "review_numbers"
    __table_args__ = (Index("ix_review_numbers_phone_hash_until", "phone_hash", "until"),)
    client: Mapped[str]
    phone_hash: Mapped[UUID]
    code: Mapped[UUID]


class VerificationRow(Base):
    """One request of a product, and its own queue entry (`next_action_at` and the lease).

    `phone_limit` and `ip_limit` are the subjects in which a fallback counts; `source_budget` and `total_budget` those
    of wrong codes. `sealed` is the number and the request's evidence, encrypted, dropped when the verification ends.
    `nudged`: something happened while a lease was held. `lifts`: what operators had waived for the number when it was
    requested. `sources`: what becomes known once its code is entered. `pressed_at`: when the caller last asked
    for a channel. `press`: the id of a fallback whose caller may not have been answered yet, and `before_press`:
    pressed_at and expires_at before it. `repeat_key`: by what a second tap is known, hashed. `ip_places`,
    `account_place`: when the request and its fallbacks took places that its code gives back; `known_source`: under
    which source it counts, if under a known one.
    """

    __tablename__ = "verifications"
    __table_args__ = (
        CheckConstraint("status in ('pending', 'verified', 'locked', 'expired', 'canceled')", name="status"),
        Index("ix_verifications_due", "next_action_at", postgresql_where=text("next_action_at is not null")),
        Index("ix_verifications_phone_hash", "phone_hash"),
        BUSY,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[int]
    phone_hash: Mapped[UUID]
    used: Mapped[list[str]]
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    deliver: Mapped[bool]
    test: Mapped[bool]
    created_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    pressed_at: Mapped[Moment]
    closed_at: Mapped[Moment | None]
    guesses_wrong: Mapped[Small] = mapped_column(server_default=text("0"))
    guesses_open: Mapped[Small] = mapped_column(server_default=text("0"))
    phone_limit: Mapped[UUID]
    ip_limit: Mapped[UUID | None]
    source_budget: Mapped[UUID]
    total_budget: Mapped[UUID]
    sealed: Mapped[bytes | None]
    next_action_at: Mapped[Moment | None]
    nudged: Mapped[bool] = mapped_column(server_default=text("false"))
    lease_until: Mapped[Moment | None]
    lease_token: Mapped[UUID | None]
    lifts: Mapped[list[str] | None]
    sources: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    press: Mapped[UUID | None]
    before_press: Mapped[list[datetime] | None] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    repeat_key: Mapped[UUID | None]
    account_limit: Mapped[UUID | None]
    account_place: Mapped[Moment | None]
    ip_places: Mapped[list[datetime] | None] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    known_source: Mapped[UUID | None]


class KnownSourceRow(Base):
    """A source from which a number was verified, for one client: account, device or address, hashed with both.

    Its requests and wrong codes are counted separately from strangers'. `phone_hash`: to erase it with the number.
    """

    __tablename__ = "known_sources"
    source: Mapped[UUID] = mapped_column(primary_key=True)
    phone_hash: Mapped[UUID] = mapped_column(index=True)
    until: Mapped[Moment] = mapped_column(index=True)


class SendRow(Base):
    """One send of a verification: wanted, begun, and how it ended, with its decision.

    `one_in_flight`: a number has at most one send that may be at the provider, so that a process that takes over after
    a crash knows whose the provider's newest verification is.
    """

    __tablename__ = "sends"
    __table_args__ = (
        CheckConstraint("state in ('due', 'begun', 'sent', 'refused', 'in_doubt', 'abandoned')", name="state"),
        CheckConstraint("cause in ('request', 'press', 'refused', 'failed', 'waited')", name="cause"),
        Index("one_in_flight", "phone_hash", unique=True, postgresql_where=text("state = 'begun'")),
        Index("one_holder", "provider_id", "provider", unique=True, postgresql_where=text("provider_id is not null")),
        BUSY,
    )
    verification_id: Mapped[UUID] = mapped_column(primary_key=True)
    ordinal: Mapped[Small] = mapped_column(primary_key=True)
    phone_hash: Mapped[UUID]
    channel: Mapped[str]
    cause: Mapped[str]
    state: Mapped[str]
    wanted_at: Mapped[Moment]
    due_at: Mapped[Moment]
    begun_at: Mapped[Moment | None]
    ended_at: Mapped[Moment | None]
    attempts: Mapped[Small] = mapped_column(server_default=text("0"))
    provider: Mapped[str | None]
    real: Mapped[bool | None]
    provider_id: Mapped[str | None]
    error: Mapped[str | None]
    delivery: Mapped[str | None]
    delivery_at: Mapped[Moment | None]
    decision: Mapped[dict[str, Any] | None]
    weighed: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    weighed_at: Mapped[Moment | None]
    credited: Mapped[bool] = mapped_column(server_default=text("false"))
    country: Mapped[str | None]
    booked: Mapped[str | None]
    price: Mapped[Count | None]
    booked_on: Mapped[date | None]
    device_limit: Mapped[UUID | None]
    device_place: Mapped[Moment | None]


class GuessRow(Base):
    """One guess, never its code: reserved before the provider is asked, settled once.

    A guess that was certainly not compared is deleted, and its place in the budgets is given back.
    `settle_at`: when a worker asks the provider about it. `status` and `remaining`: the result, which a replay with the
    same Idempotency-Key gets. `body`: a keyed hash (under INDEX_KEY) of the code, the verification and the
    Idempotency-Key, kept as long as that key: another code under it is refused.
    """

    __tablename__ = "guesses"
    __table_args__ = (
        CheckConstraint("state in ('open', 'right', 'wrong')", name="state"),
        Index("ix_guesses_keyed", "counted_at", postgresql_where=text("idem is not null")),
        Index("ix_guesses_unsettled", "settle_at", postgresql_where=text("state = 'open'")),
        Index("ix_guesses_verification_id", "verification_id"),
        BUSY,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    verification_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    counted_at: Mapped[Moment]
    settle_at: Mapped[Moment]
    status: Mapped[str | None]
    remaining: Mapped[Small | None]
    idem: Mapped[UUID | None] = mapped_column(unique=True)
    body: Mapped[UUID | None]


class IdempotencyKeyRow(Base):
    """A request's Idempotency-Key, hashed with its client: what was requested (hashed) and what was answered.

    `replayed`: it was answered a second time, so its verification can no longer be taken back. Where `idem` is the
    verification's own id, a request without a key was: a second tap.
    """

    __tablename__ = "idempotency_keys"
    idem: Mapped[UUID] = mapped_column(primary_key=True)
    body: Mapped[UUID]
    verification_id: Mapped[UUID]
    created_at: Mapped[Moment] = mapped_column(index=True)
    expires_at: Mapped[Moment]
    remaining: Mapped[Small]
    replayed: Mapped[bool] = mapped_column(server_default=text("false"))


class TraceRow(Base):
    """Where a verification's request stands in its trace. See verification.traces."""

    __tablename__ = "traces"
    verification_id: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[bytes]
    at: Mapped[Moment] = mapped_column(index=True)


class WithdrawalRow(Base):
    """The id of a request, guess or fallback answered 503 after an unclear end: it must not be committed later."""

    __tablename__ = "withdrawals"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[Moment]


class CallbackEndpointRow(Base):
    """Where a client's callbacks go. `sealed`: address and secrets; `host` is what operators see of the address."""

    __tablename__ = "callback_endpoints"
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    row: Mapped[UUID]
    sealed: Mapped[bytes]
    host: Mapped[str]
    created_at: Mapped[Moment]
    disabled_at: Mapped[Moment | None]
    disabled_for: Mapped[str | None]
    failing_since: Mapped[Moment | None]


class CallbackRow(Base):
    """How a verification ended, as its client is told. `next_at`: when that is tried next, None once that is over."""

    __tablename__ = "callbacks"
    __table_args__ = (
        Index("ix_callbacks_due", "client_id", "next_at", postgresql_where=text("next_at is not null")),
        Index("ix_callbacks_verification_id", "verification_id", postgresql_where=text("next_at is not null")),
        BUSY,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[int]
    verification_id: Mapped[UUID]
    status: Mapped[str]
    at: Mapped[Moment] = mapped_column(index=True)
    next_at: Mapped[Moment | None]
    attempts: Mapped[int]
    taken_at: Mapped[Moment | None]
    failure: Mapped[str | None]


class WebhookEventRow(Base):
    """What Telnyx reported of one verification: once, without its code and number.

    `look_at`: when to check whether a send of ours has this id. `unknown_no`: its number among events whose id no send
    had when this was checked.
    """

    __tablename__ = "webhook_events"
    __table_args__ = (
        Index("one_event", "event_id", "event_type", "delivery", "provider", unique=True),
        Index("ix_webhook_events_due", "look_at", postgresql_where=text("look_at is not null")),
        Index("ix_webhook_events_unapplied", "provider_id", postgresql_where=text("applied_at is null")),
        Index("ix_webhook_events_unknown", "unknown_no", postgresql_where=text("unknown_no is not null")),
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[str]
    event_type: Mapped[str]
    delivery: Mapped[str]
    provider: Mapped[str] = mapped_column(server_default=text("'telnyx'"))
    provider_id: Mapped[str]
    received_at: Mapped[Created]
    applied_at: Mapped[Moment | None]
    look_at: Mapped[Moment | None] = mapped_column(server_default=func.now())
    unknown_no: Mapped[int | None] = mapped_column(BigInteger)
