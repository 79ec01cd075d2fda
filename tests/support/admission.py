"""Requests put before the admitting statement by hand, on a clock that the test drives.

Used by the admission tests. Goes through the real store, key ring and hashes; HTTP and the sending are left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
from asyncpg import Connection

from service.clients.authenticator import Authenticator
from service.clients.caller import Caller
from service.clients.store import KeyStore
from service.db.engine import Database, open_database
from service.policy import loading
from service.vault import Vault, new_id, new_token
from service.verification.callers import Evidence, subjects_of
from service.verification.storage.rows import Admission, Admitted
from service.verification.storage.store import Store
from tests.support.gateway import ADDRESS, PHONE, make_key

NOON = datetime(2031, 5, 5, 12, tzinfo=UTC)
VAULT = Vault([b"s" * 32], b"i" * 32)
# Every limit is so wide that only the one that a test sets is met.
WIDE = """
[limits]
phone = ["1000/1d"]
ip = ["1000/1d"]
account = ["1000/1d"]
"""


class AdmissionHarness:
    """Admits as one process does. `now`: its clock; None leaves it to the database's."""

    def __init__(self, database: Database, policy: str = WIDE, now: datetime | None = NOON) -> None:
        self.database = database
        self.now = now
        self.policies = loading.parse(policy)
        self.store = Store(database, self.policies, lambda: self.now)
        self.callers: dict[str, Caller] = {}

    async def join(self, *clients: str) -> None:
        """Make a key for each client."""
        ring = Authenticator(KeyStore(self.database, lambda: self.now), VAULT, self.policies)
        for name in clients:
            self.callers[name] = await ring.find(await make_key(self.database, name))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        assert self.now
        self.now += timedelta(seconds=seconds)

    def item(
        self, phone: str = PHONE, *, client: str = "shop", ip: str | None = ADDRESS, account: str | None = None,
        idem: str | None = None, body: str = "", token: bool = False, **more: Any,
    ) -> Admission:  # fmt: skip
        """Make one request, as the flow makes it."""
        caller = self.callers[client]
        evidence = Evidence(phone_number=phone, ip_address=ip, account_id=account)
        subjects = subjects_of(VAULT, caller.client_id, evidence)
        fields: dict[str, Any] = {
            "id": new_id(),
            "key_id": caller.key_id,
            "client_id": caller.client_id,
            "policy": caller.policy.number,
            "phone_hash": subjects.phone_hash,
            "channel": "sms",
            "deliver": True,
            "test": False,
            "lifetime": caller.policy.verification.expires_after,
            "codes": caller.policy.lockout.codes_per_verification,
            "phone_limit": subjects.phone_limit,
            "ip_limit": subjects.ip_limit,
            "account_limit": subjects.account_limit,
            "source_budget": subjects.source_budget,
            "total_budget": subjects.total_budget,
            "sealed": b"sealed",
            "idem": VAULT.hash(b"idem.key", client, idem) if idem else None,
            "body": VAULT.hash(b"idem.body", body) if idem else None,
            "token": new_token() if token else None,
            "sources": subjects.sources,
        }
        return Admission(**fields | more)

    async def admit(self, phone: str = PHONE, **fields: Any) -> Admitted:
        """Admit one request alone."""
        return await self.store.admit(self.item(phone, **fields))

    async def rows(self, table: str) -> list[asyncpg.Record]:
        """Read a whole table, in a steady order."""
        return list(await self.database.pool.fetch(f"select * from {table} order by 1, 2"))


@asynccontextmanager
async def open_desk(
    url: str, callers: dict[str, Caller], policy: str = WIDE, now: datetime | None = None
) -> AsyncIterator[AdmissionHarness]:
    """Open a harness with a pool of its own, for clients that have their keys."""
    database = await open_database(url)
    try:
        harness = AdmissionHarness(database, policy, now)
        harness.callers = callers
        yield harness
    finally:
        await database.aclose()


def over(connection: Connection) -> Database:
    """Make a database of one connection, so that what a store does can be undone with its transaction."""
    return Database(cast("Any", connection), cast("Any", None), None)
