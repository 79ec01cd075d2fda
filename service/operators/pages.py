"""A page of a list, and the place at which the next one begins.

Used by the operators' reads. A place is the last row's sort keys, so rows that come or go meanwhile shift nothing: no
row is left out, and none of a list by id comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

MOST_LISTED = 500
# After the newest row.
LAST = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Whoever makes up a place gets an error of theirs: PostgreSQL takes no larger id, no NUL, and not every time of Python.
RowId = Annotated[int, Meta(ge=0, le=LAST)]
Micros = Annotated[int, Meta(ge=0, le=4_102_444_800_000_000)]
Word = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]

R = TypeVar("R")
P = TypeVar("P", bound="Place")


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page ended. Each order of rows has a kind of its own."""


class IdPlace(Place, frozen=True, array_like=True, forbid_unknown_fields=True):
    """In a list by id, the newest first."""

    id: RowId


class OverridePlace(Place, frozen=True, array_like=True, forbid_unknown_fields=True):
    """In a list of overrides. `at`: when the first page was read; `rank`: what is in force first, then operators'.

    What is in force can end between two pages, and would move to a place that has been read. So all pages are put in
    the order of the first page's time.
    """

    at: Micros
    rank: Annotated[int, Meta(ge=0, le=3)]
    id: RowId


class MatchPlace(Place, frozen=True, array_like=True, forbid_unknown_fields=True):
    """In a list of verifications, the newest first."""

    created_at: Micros
    id: UUID


class LedgerPlace(Place, frozen=True, array_like=True, forbid_unknown_fields=True):
    """In the ledger: the newest day first, then by name."""

    day: date
    client: Word
    country: Word
    channel: Word


class Page(msgspec.Struct, Generic[R, P], frozen=True):
    """Some rows, and where the next page begins; None after the last one."""

    rows: list[R]
    next: P | None


def cut(
    rows: Sequence[dict[str, Any]], most: int, read: Callable[..., R], place: Callable[[dict[str, Any]], P]
) -> Page[R, P]:
    """Make a page of the first rows; there is a next one if the statement found one row more than `most`."""
    following = place(rows[most - 1]) if len(rows) > most else None
    return Page([read(row) for row in rows[:most]], following)


def by_id(row: dict[str, Any]) -> IdPlace:
    """Return the place of a row in a list by id."""
    return IdPlace(row["id"])


def micros_of(moment: datetime) -> int:
    """Return a time in whole microseconds, which a cursor holds without loss."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
