"""The statements on API keys that a serving process makes: which are good, which were used, how often operators call.

Called by authenticator and verification.core. Makes and revokes no key: that is key_admin's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from service.db.asking import ask
from service.db.calls import Columns, FunctionCall
from service.db.engine import Database
from service.db.insisting import insist
from service.policy.units import Window

# Seconds within which a look for keys must have ended: a request may be waiting for it.
LOOK_LIMIT = 2.75

KEYS = """
select k.id, k.client_id, c.name, c.test, k.scope, k.digest, k.ends_at, c.observed_until
from api_keys k join clients c on c.id = k.client_id
where k.revoked_at is null
"""


class LimitOfSubject(msgspec.Struct, frozen=True):
    """One window of a limit on one subject: at most `max` within `seconds`."""

    subject: UUID
    max: int
    seconds: float


ENTER_OPERATOR = FunctionCall("enter_operator", now=datetime, key=int, keep=int, windows=Columns(LimitOfSubject, "w"))

NOTE_KEY_USES = """
update api_keys set last_used_at = greatest(last_used_at, coalesce($1::timestamptz, clock_timestamp()))
where id = any ($2::int[])
"""


class KeyStore:
    """The statements, bound to one database and one clock (None: the database's own)."""

    def __init__(self, database: Database, now: Callable[[], datetime | None] = lambda: None) -> None:
        self._database = database
        self._now = now

    async def list(self) -> list[dict[str, Any]]:
        """List the keys that have not been revoked, each with its client. Raises Unavailable."""
        return [dict(row) for row in await insist(lambda: self._database.pool.fetch(KEYS), LOOK_LIMIT)]

    async def enter_operator(self, key: int, windows: Sequence[tuple[UUID, Window]]) -> float | None:
        """Count an operator's call; return how long to wait if it was refused (s), None for a key that is not valid."""
        limits = [LimitOfSubject(subject, window.max, window.seconds) for subject, window in windows]
        keep = max(limit.max for limit in limits)
        [row] = await ask(self._database, *ENTER_OPERATOR(now=self._now(), key=key, keep=keep, windows=limits))
        wait: float | None = row["enter_operator"]
        return wait

    async def note_uses(self, keys: Sequence[int]) -> None:
        """Record that these keys were used just now. Raises Unavailable."""
        await self._database.pool.execute(NOTE_KEY_USES, self._now(), list(keys))
