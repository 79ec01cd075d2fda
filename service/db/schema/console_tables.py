"""The tables of the operators' console, as SQLAlchemy declares them: who is signed in, the sums, the backtests.

Read by Alembic, which compares a migrated schema with it (`alembic check`). Holds no statement and no rule.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Interval
from sqlalchemy.orm import Mapped, mapped_column

from service.db.schema.columns import Base, Count, Moment


class ConsoleSessionRow(Base):
    """Somebody who is signed in: the cookie's token, hashed, and the key that it stands for."""

    __tablename__ = "console_sessions"
    token: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[int]
    began_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    until: Mapped[Moment] = mapped_column(index=True)


class ActivityRow(Base):
    """What the service did in a minute, hour or day, in all (without names); hours and days also by who and where.

    `converted` counts in the span of the request; the others in that of the event. Names of clients, as in rule_counts.
    """

    __tablename__ = "activity"
    __table_args__ = (CheckConstraint("span in ('minute', 'hour', 'day')", name="span"),)
    span: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[Moment] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(primary_key=True)
    country: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    requests: Mapped[int]
    decoys: Mapped[int]
    sends: Mapped[int]
    suppressed: Mapped[int]
    converted: Mapped[int]
    limited: Mapped[int]
    until: Mapped[Moment] = mapped_column(index=True)


class RefusalRow(Base):
    """How many requests for a number a limit refused within a minute, by client."""

    __tablename__ = "refusals"
    phone_hash: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Moment] = mapped_column(primary_key=True, index=True)
    count: Mapped[int]


class BacktestRow(Base):
    """A backtest that an operator started: how far it is, and what came of it.

    `seen_at`: when the process that runs it was last heard of; `share`: how much is done, 0 to 1.
    """

    __tablename__ = "backtests"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[int]
    policy: Mapped[str]
    version: Mapped[str]
    since: Mapped[timedelta | None] = mapped_column(Interval)
    began_at: Mapped[Moment] = mapped_column(index=True)
    seen_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    share: Mapped[Count]
    changes: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
