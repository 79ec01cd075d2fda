"""What operators read of what stands: audits, alerts, keys and their clients, page by page, the newest first.

Called by api; worker.alarms takes the kinds of alerts from here. Changes nothing. Shows how a key begins, and of a
number nothing at all: an audit keeps only a hash, which is not read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from service.clients.caller import Scope
from service.db.asking import ask
from service.db.engine import Database
from service.operators.pages import LAST, MOST_LISTED, IdPlace, Page, by_id, cut

T = TypeVar("T", bound=msgspec.Struct)

ALERT_KINDS = (
    "volume", "spike", "conversion", "block", "telnyx", "telnyx_profile", "fingerprint", "fingerprint_quota", "captcha",
    "budget", "webhooks", "signals", "suppressed", "observed", "callbacks", "drift",
    "unconverted",
)  # fmt: skip
# In each statement: $1 the id before which the page begins, $2 how many rows.
AUDITS = """
select a.id, a.at, a.key_id, c.name as client, a.action, a.row_id, a.reason
from audits a left join api_keys k on k.id = a.key_id left join clients c on c.id = k.client_id
where a.id < $1::bigint order by a.id desc limit $2
"""
# A kind is stored with what it is about: "block US block_10k".
ALERTS = """
select a.id, split_part(a.kind, ' ', 1) as kind, nullif(substr(a.kind, strpos(a.kind || ' ', ' ') + 1), '') as about,
       a.text, a.began_at, a.seen_at, a.ended_at
from alerts a
where a.id < $1::bigint and ($3::bool is null or (a.ended_at is null) = $3) order by a.id desc limit $2
"""
KEYS = """
select k.id, c.name as client, c.test, k.scope, k.hint, k.created_at, k.last_used_at, k.ends_at, k.revoked_at
from api_keys k join clients c on c.id = k.client_id
where k.id < $1::bigint order by k.id desc limit $2
"""
CLIENTS = """
select c.id, c.name, c.test, c.created_at, max(k.last_used_at) as last_used_at,
       count(k.id) filter (where k.revoked_at is null and coalesce(k.ends_at > clock_timestamp(), true)) as keys
from (select * from clients where id < $1::bigint order by id desc limit $2) c
     left join api_keys k on k.client_id = c.id
group by c.id, c.name, c.test, c.created_at order by c.id desc
"""


class Audit(msgspec.Struct, frozen=True):
    """One act. `key_id`, `client`: the key that did it and whose it is; None for the command line."""

    id: int
    at: datetime
    key_id: int | None
    client: str | None
    action: str
    row_id: int | None
    reason: str | None


class Alert(msgspec.Struct, frozen=True):
    """One incident, open until `ended_at`. `about`: which of its kind, where there can be several."""

    id: int
    kind: str
    about: str | None
    text: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None


class Key(msgspec.Struct, frozen=True):
    """One key. `hint`: how it begins."""

    id: int
    client: str
    test: bool
    scope: Scope
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    ends_at: datetime | None
    revoked_at: datetime | None


class Client(msgspec.Struct, frozen=True):
    """One client. `keys`: how many of its keys are valid."""

    id: int
    name: str
    test: bool
    created_at: datetime
    last_used_at: datetime | None
    keys: int


class Records:
    """The records of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def audits(self, after: IdPlace | None = None, most: int = MOST_LISTED) -> Page[Audit, IdPlace]:
        """List what operators searched for and changed. Raises Unavailable, as all of these."""
        return await self._list(AUDITS, Audit, after, most)

    async def alerts(
        self, after: IdPlace | None = None, most: int = MOST_LISTED, *, still_open: bool | None = None
    ) -> Page[Alert, IdPlace]:
        """List incidents: those that are open, those that have ended, or both."""
        return await self._list(ALERTS, Alert, after, most, still_open)

    async def keys(self, after: IdPlace | None = None, most: int = MOST_LISTED) -> Page[Key, IdPlace]:
        return await self._list(KEYS, Key, after, most)

    async def clients(self, after: IdPlace | None = None, most: int = MOST_LISTED) -> Page[Client, IdPlace]:
        return await self._list(CLIENTS, Client, after, most)

    async def _list(
        self, statement: str, kind: type[T], after: IdPlace | None, most: int, *more: Any
    ) -> Page[T, IdPlace]:
        begin = after.id if after else LAST
        rows = await ask(self._database, statement, begin, most + 1, *more)
        return cut(rows, most, lambda row: msgspec.convert(row, kind), by_id)
