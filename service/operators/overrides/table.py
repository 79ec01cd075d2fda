"""What an operator sets for a while over what the rules say: list what holds, set one, lift one.

Called by operators.overrides.blocks, operators.overrides.exemptions and operators.overrides.review_numbers, which say
for whom and what it does. No change is made without its audit: they are one statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from service.db.asking import CLOCK, LARGEST_ID, ask
from service.db.engine import Database
from service.errors import NotFound
from service.operators.pages import LAST, MOST_LISTED, OverridePlace, Page, cut, micros_of, moment_of

# In each statement: $1 the time, or null for the database's, $2 the key; braces are filled from a Table.
COLUMNS = """
o.id, o.label, o.reason, o.began_at, o.until, o.lifted_at, o.set_by, {own},
o.until > clock.now and o.lifted_at is null as in_force
"""
# $2 when the first page was read, $3 and $4 the rank and id before which this one begins, $5 how many rows.
# An attack from everywhere can have rules set more than a page holds: they must not push out what an operator has set.
LIST = """
with {clock}, ordered as (
    select o.*, a.at as listed_at,
           2 * (o.until > a.at and (o.lifted_at is null or o.lifted_at > a.at))::int + (o.set_by <> 'rule')::int as rank
    from {table} o, clock, coalesce($2::timestamptz, clock.now) as a(at)
    where least(o.until, o.lifted_at) > a.at - interval '1 day'
)
select {columns}, o.rank, o.listed_at from ordered o, clock
where (o.rank, o.id) < ($3::int, $4::bigint)
order by o.rank desc, o.id desc limit $5
"""
# Above every rank.
FIRST = 4
OF = """
with {clock}
select {columns} from {table} o, clock
where (o.{subject} = any ($2::uuid[]) or o.id = any ($3::int[])) and o.until > clock.now and o.lifted_at is null
order by o.id desc limit $4
"""
SET = """
with {clock}, {first} made as (
    insert into {table} ({subject}, label, reason, {own}, began_at, until, set_by)
    select $3, $4, $5, {values}, now, now + $6::interval, coalesce('key ' || $2::int, 'the command line') from clock
    returning *
), noted as (
    insert into audits (at, key_id, action, subject, row_id, reason)
    select clock.now, $2, '{sets}', {audited}, o.id, o.reason from made o, clock
)
select {columns} from made o, clock
"""
LIFT = """
with {clock}, lifted as (
    update {table} o set lifted_at = clock.now from clock
    where o.id = $3 and o.lifted_at is null and o.until > clock.now
    returning o.*
), {also} noted as (
    insert into audits (at, key_id, action, subject, row_id)
    select clock.now, $2, '{lifts}', {audited}, o.id from lifted o, clock
)
select {columns} from lifted o, clock
"""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a subject for a while. `label`: what operators see of it; `set_by`: a rule, or which key."""

    id: int
    label: str
    reason: str
    began_at: datetime
    until: datetime
    lifted_at: datetime | None
    set_by: str
    in_force: bool


class OverrideTable(NamedTuple):
    """Where one kind of override stands, and by which words the audit calls its changes.

    `own`, `values`: the columns that it has besides, and what they are set to, from $7 on; `audited`: the subject that
    the audit keeps, if any; `first`: what setting one does before that; `also`: what lifting one does besides, to the
    rows of `lifted`.
    """

    table: str
    subject: str
    own: tuple[str, ...]
    values: str
    sets: str
    lifts: str
    audited: str = "null::uuid"
    first: str = ""
    also: str = ""


T = TypeVar("T", bound=Override)


class Overrides(Generic[T]):
    """One kind of override, of one database."""

    def __init__(
        self, database: Database, table: OverrideTable, kind: type[T], now: Callable[[], datetime | None]
    ) -> None:
        """`now`: as in Store."""
        shown = ", ".join(f"o.{name}" for name in table.own)
        places = table._asdict() | {"clock": CLOCK, "columns": COLUMNS.format(own=shown), "own": ", ".join(table.own)}
        self._list, self._of, self._set, self._lift = (text.format(**places) for text in (LIST, OF, SET, LIFT))
        self._database = database
        self._kind = kind
        self._now = now

    async def list(self, after: OverridePlace | None = None, most: int = MOST_LISTED) -> Page[T, OverridePlace]:
        """List those in force, then those that ended within a day; operators' before rules', the newest first."""
        begin = (moment_of(after.at), after.rank, after.id) if after else (None, FIRST, LAST)
        rows = await ask(self._database, self._list, self._now(), *begin, most + 1)
        return cut(rows, most, lambda row: msgspec.convert(row, self._kind), _place)

    async def list_all(self) -> Sequence[T]:
        """List all of them, page by page, in the same order."""
        page = await self.list()
        found = [*page.rows]
        while page.next is not None:
            page = await self.list(page.next)
            found += page.rows
        return found

    async def of(self, subjects: Sequence[UUID], ids: Sequence[int] = ()) -> Sequence[T]:
        """List those in force on any of these subjects or with these ids, the newest first."""
        rows = await ask(self._database, self._of, self._now(), subjects, ids, MOST_LISTED)
        return [msgspec.convert({**row}, self._kind) for row in rows]

    async def put(self, key: int | None, subject: UUID, label: str, reason: str, length: timedelta, *own: object) -> T:
        """Set one from now on, and audit it; without a key: by the command line."""
        [row] = await ask(self._database, self._set, self._now(), key, subject, label, reason, length, *own)
        return msgspec.convert({**row}, self._kind)

    async def lift(self, key: int | None, row: int) -> T:
        """Lift one that is in force. Raises NotFound."""
        if 0 < row <= LARGEST_ID:
            for lifted in await ask(self._database, self._lift, self._now(), key, row):
                return msgspec.convert({**lifted}, self._kind)
        raise NotFound


def _place(row: dict[str, Any]) -> OverridePlace:
    return OverridePlace(micros_of(row["listed_at"]), row["rank"], row["id"])
