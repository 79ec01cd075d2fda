"""The queue of verifications in virtual time: rows made without a gateway, held by whoever the test says.

Used by the tests of leases. Everything goes through the store, on a clock that stands still until it is moved.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from service.db.engine import Database
from service.policy import loading
from service.verification.states import Begin
from service.verification.storage.rows import Admission, Claimed, SendRecord
from service.verification.storage.store import Store
from tests.support.gateway import make_key


class Queue:
    """One database's queue, seen by two processes: `store` and `other`."""

    def __init__(self, database: Database, key: int, client: int, policy: str = "") -> None:
        self.policies = loading.parse(policy)
        self.policy = self.policies.default
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.store = Store(database, self.policies, lambda: self.now)
        self.other = Store(database, self.policies, lambda: self.now)
        self.pool = database.pool
        self.key = key
        self.client = client

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    async def admit(self, token: UUID | None = None, phone: UUID | None = None) -> UUID:
        """Take one request; with a token it is begun under that lease, without one it is due."""
        item = Admission(
            id=uuid4(), key_id=self.key, client_id=self.client, policy=0, phone_hash=phone or uuid4(), channel="sms",
            deliver=True, test=False, lifetime=300.0, codes=5, phone_limit=uuid4(), ip_limit=None, account_limit=None,
            source_budget=uuid4(), total_budget=uuid4(), sealed=b"sealed", idem=None, body=None, token=token,
            sources=[None, None, None],
        )  # fmt: skip
        admitted = await self.store.admit(item)
        assert (admitted.outcome, admitted.leased) == ("admitted", token is not None)
        return admitted.id

    async def claim(self, store: Store | None = None) -> Claimed:
        """Claim the one row that is due."""
        [claimed] = await (store or self.store).claim(10)
        return claimed

    async def begin(self, claimed: Claimed, store: Store | None = None) -> bool:
        """Begin the first send of a row that is held."""
        step = Begin(1, "sms", "request", claimed.sends[0].wanted_at, new=False)
        return await (store or self.store).begin(claimed.id, claimed.token, step)

    async def record(self, row: UUID, token: UUID, state: Any = "sent", **fields: Any) -> bool:
        """Record how the first send ended; whether the lease was still there."""
        given: dict[str, Any] = {
            "wait": 0.0, "provider": "telnyx", "real": True, "provider_id": None, "error": None, "delivery": None,
            "decision": None, "next_in": 60.0,
        }  # fmt: skip
        return await self.store.record(SendRecord(id=row, token=token, ordinal=1, state=state, **(given | fields)))

    async def use_fallback(self, row: UUID) -> str:
        """Use the next channel, and say how that ended."""
        return (await self.store.use_fallback(self.key, self.client, row, self.policy)).outcome

    async def cancel(self, row: UUID) -> bool:
        """Cancel."""
        return await self.store.cancel(self.key, self.client, row, self.policy) is not None

    async def row(self, row: UUID) -> Any:
        """Read a verification."""
        return await self.pool.fetchrow("select * from verifications where id = $1", row)

    async def states(self, row: UUID) -> list[tuple[str, str]]:
        """Read channel and state of every send."""
        found = await self.pool.fetch(
            "select channel, state from sends where verification_id = $1 order by ordinal", row
        )
        return [(send["channel"], send["state"]) for send in found]


async def open_queue(database: Database, policy: str = "") -> Queue:
    """Make a client, and the queue of its verifications."""
    await make_key(database, "shop")
    key = await database.pool.fetchrow("select id, client_id from api_keys")
    assert key is not None
    return Queue(database, key["id"], key["client_id"], policy)
