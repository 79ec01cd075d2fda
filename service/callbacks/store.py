"""The statements of the delivery: which endpoints there are, what is due, how attempts ended.

Called by delivery. Sets up no endpoint: that is endpoints'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from service.callbacks.message import Ending
from service.db.calls import Columns, FunctionCall, fields_of
from service.db.engine import Database

# A client of endpoint e whose keys have all been revoked, or have ended, can read no status: it is told nothing either.
HAS_KEY = """
exists (
    select from api_keys k
    where k.client_id = e.client_id and k.scope = 'verify' and k.revoked_at is null
      and (k.ends_at is null or k.ends_at > clock_timestamp())
)
"""
ENDPOINTS = f"""
select e.client_id, e.row, e.sealed from callback_endpoints e where e.disabled_at is null and {HAS_KEY}
"""  # noqa: S608 (ours)
RESEAL = "update callback_endpoints set sealed = $3 where client_id = $1 and sealed = $2"


class Due(msgspec.Struct, frozen=True):
    """One callback to be tried now. `attempts`: this one's number, from 1; `at`: when it happened."""

    id: UUID
    client_id: int
    verification_id: UUID
    status: Ending
    at: datetime
    attempts: int


class Attempt(msgspec.Struct, frozen=True):
    """How an attempt ended. `failure`: None if it was taken; `wait`: seconds to the next, None if it was given up.

    `receiver`: the row of the endpoint that was tried.
    """

    id: UUID
    receiver: UUID
    attempt: int
    wait: float | None
    failure: str | None


class Disabled(msgspec.Struct, frozen=True):
    """An endpoint that gets nothing more, and why. `row`: as it was then, not what its client may have set since."""

    row: UUID
    reason: str


class SealedEndpoint(msgspec.Struct, frozen=True):
    """An endpoint as it is stored."""

    client_id: int
    row: UUID
    sealed: bytes


CLAIM = FunctionCall("claim_callbacks", fields_of(Due), now=datetime, lease=timedelta, client=list[int], room=list[int])
FINISH = FunctionCall("finish_callbacks", now=datetime, ended=Columns(Attempt), disabled=Columns(Disabled, "d"))


class CallbackStore:
    """The statements, bound to one database and one clock (None: the database's own)."""

    def __init__(self, database: Database, now: Callable[[], datetime | None] = lambda: None) -> None:
        self._pool = database.pool
        self._now = now

    async def list_endpoints(self) -> list[SealedEndpoint]:
        """List the endpoints that are not disabled, of clients that have a key."""
        return [SealedEndpoint(*row) for row in await self._pool.fetch(ENDPOINTS)]

    async def reseal(self, endpoint: SealedEndpoint, sealed: bytes) -> None:
        """Store an endpoint under another SECRET_KEY, unless it has changed since."""
        await self._pool.execute(RESEAL, endpoint.client_id, endpoint.sealed, sealed)

    async def claim(self, room: Mapping[int, int], lease: timedelta) -> list[Due]:
        """Take what is due, of each client at most so many, for as long as `lease`."""
        call = CLAIM(now=self._now(), lease=lease, client=list(room), room=list(room.values()))
        return [Due(*row) for row in await self._pool.fetch(*call)]

    async def finish(self, ended: Sequence[Attempt], disabled: Mapping[UUID, str]) -> None:
        """Record how attempts ended, and which endpoints get nothing more, and why."""
        rows = [Disabled(row, reason) for row, reason in disabled.items()]
        await self._pool.execute(*FINISH(now=self._now(), ended=ended, disabled=rows))
