"""The registry of tables, and the column types that they share.

Read by tables, fraud_tables and console_tables. Names every constraint, so that migrations can name it too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    ARRAY,
    Double,
    Identity,
    MetaData,
    SmallInteger,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Statements name constraints (`on conflict on constraint`), and so do downgrades: a generated name would differ from
# one database to the next.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Moment = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True))]
Created = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True), server_default=func.now())]
Small = Annotated[int, mapped_column(SmallInteger)]
Count = Annotated[float, mapped_column(Double)]

# For rows updated several times in a short life: free space in the page keeps the new version beside the old one.
BUSY = {"postgresql_with": {"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.05"}}


class Base(DeclarativeBase):
    """The registry of tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[Any] = {str: Text, dict[str, Any]: JSONB, list[str]: ARRAY(Text)}


class OverrideColumns:
    """What holds for a while by an operator's hand, or a rule's: operators.overrides.table lists, sets and lifts it."""

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    label: Mapped[str]
    reason: Mapped[str]
    began_at: Mapped[Moment]
    until: Mapped[Moment]
    lifted_at: Mapped[Moment | None]
    set_by: Mapped[str]


metadata = Base.metadata
