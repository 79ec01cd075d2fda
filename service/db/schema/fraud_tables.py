"""The tables of the fraud rules, of operators and of alerts, as SQLAlchemy declares them.

Read by Alembic, which compares a migrated schema with it (`alembic check`). Holds no statement and no rule.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Identity,
    Index,
    Integer,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from service.db.schema.columns import BUSY, Base, Count, Moment, OverrideColumns, Small


class HistoryRow(Base):
    """The newest sends of one subject (a number's range, a country, an address), newest first, and faded counts.

    `marks` tell numbers apart within the subject; `goods`: whether the send converted; `failed`: which of `ats` were
    not delivered. See fraud.histories.history.
    """

    __tablename__ = "histories"
    __table_args__ = (BUSY,)
    subject: Mapped[UUID] = mapped_column(primary_key=True)
    ats: Mapped[list[datetime]] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    marks: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    goods: Mapped[list[bool]] = mapped_column(ARRAY(Boolean))
    day_sends: Mapped[Count]
    day_good: Mapped[Count]
    long_sends: Mapped[Count]
    long_good: Mapped[Count]
    peak: Mapped[Count]
    failed: Mapped[list[datetime]] = mapped_column(ARRAY(TIMESTAMP(timezone=True)), server_default="{}")


class LedgerRow(Base):
    """What a day (UTC) cost: sends and their prices, and what was suppressed. See fraud.money."""

    __tablename__ = "ledger"
    __table_args__ = (BUSY,)
    day: Mapped[date] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(primary_key=True)
    country: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    sends: Mapped[int]
    spent: Mapped[Count]
    stopped: Mapped[int]
    saved: Mapped[Count]


class CountryHourRow(Base):
    """How many sends of an hour went out to a country, over all clients, and how many of them converted since.

    By the time at which they were weighed. See worker.countries.
    """

    __tablename__ = "country_hours"
    __table_args__ = (BUSY,)
    country: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[Moment] = mapped_column(primary_key=True, index=True)
    sends: Mapped[int]
    converted: Mapped[int]


class DeviceEventRow(Base):
    """A device event, hashed, the client and number that brought it first, and the further numbers that it served."""

    __tablename__ = "device_events"
    event: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[int]
    phone_hash: Mapped[UUID]
    first_used_at: Mapped[Moment] = mapped_column(index=True)
    more_phones: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))


class DeviceSignalRow(Base):
    """One signal of one client's device events: when it was carried last, and since when and when last it was missing.

    `unfamiliar_at`: when it last had a value that this version does not know. See fraud.gathering.signals.
    """

    __tablename__ = "device_signals"
    client_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    signal: Mapped[str] = mapped_column(primary_key=True)
    carried_at: Mapped[Moment | None]
    missing_since: Mapped[Moment | None]
    missing_at: Mapped[Moment | None]
    unfamiliar_at: Mapped[Moment | None]


class CaptchaVerdictRow(Base):
    """What a captcha's provider said of a token, hashed with the client and address, and the numbers that it served."""

    __tablename__ = "captcha_verdicts"
    token: Mapped[UUID] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    phone_hashes: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    at: Mapped[Moment] = mapped_column(index=True)


class BlockRow(OverrideColumns, Base):
    """A subject that gets no codes until a time: 5 minutes, doubling each time, or as an operator set it."""

    __tablename__ = "blocks"
    __table_args__ = (
        CheckConstraint("kind in ('range', 'country', 'ip', 'device')", name="kind"),
        Index("ix_blocks_subject_until", "subject", "until"),
        Index("ix_blocks_until", "until"),
    )
    subject: Mapped[UUID]
    kind: Mapped[str]
    level: Mapped[Small]


class KnownKeyRow(Base):
    """A SECRET_KEY or INDEX_KEY that processes have started with, by a tag of it, and since when."""

    __tablename__ = "known_keys"
    setting: Mapped[str] = mapped_column(primary_key=True)
    tag: Mapped[bytes] = mapped_column(primary_key=True)
    since: Mapped[Moment]


class RoundRow(Base):
    """When some work that one process does for all was done last."""

    __tablename__ = "rounds"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[Moment]


class TrafficRow(Base):
    """One minute of the whole service: sends that reached the provider, verifications sent to, and those converted.

    The last two once the minute is `settled`: its verifications have ended.
    """

    __tablename__ = "traffic"
    minute: Mapped[Moment] = mapped_column(primary_key=True)
    sends: Mapped[int]
    sent: Mapped[int] = mapped_column(server_default=text("0"))
    read: Mapped[int] = mapped_column(server_default=text("0"))
    settled: Mapped[bool] = mapped_column(server_default=text("false"))


class RuleCountRow(Base):
    """How many of a client's requests of a quarter of an hour a rule objected to, by country, mode and finding.

    `rule` is empty for all that were decided. Names of clients, since they are told to operators.
    """

    __tablename__ = "rule_counts"
    at: Mapped[Moment] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(primary_key=True)
    country: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    finding: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


class AlertRow(Base):
    """An incident that operators were told of: one of a kind at a time. `seen_at`: when it was last seen.

    `began_by`, `ended_by`: the calls of ring_alerts_v2 that reported it.
    """

    __tablename__ = "alerts"
    __table_args__ = (Index("one_incident", "kind", unique=True, postgresql_where=text("ended_at is null")),)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    text: Mapped[str]
    began_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    began_by: Mapped[UUID | None]
    ended_by: Mapped[UUID | None]


class AuditRow(Base):
    """What an operator searched for or changed: who (`key_id`; none for the command line), when, and why.

    `subject`: the number's keyed hash; `row_id`: the block, exemption or key that was made, lifted or revoked.
    """

    __tablename__ = "audits"
    __table_args__ = (Index("ix_audits_subject", "subject", postgresql_where=text("subject is not null")),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[Moment]
    key_id: Mapped[int | None]
    action: Mapped[str]
    subject: Mapped[UUID | None]
    row_id: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None]


class LookupRow(Base):
    """A number's line type, as Telnyx last reported it; valid `until` then."""

    __tablename__ = "lookups"
    phone_hash: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    until: Mapped[Moment] = mapped_column(index=True)
