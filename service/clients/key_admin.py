"""Create, list and revoke API keys. Rarely used: SQLAlchemy over the declared tables.

Called by cli, and by api for operators. A key leaves `create` once; the database holds only its digest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Insert, Row, Update, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from service.clients.caller import Scope
from service.db.engine import Database
from service.db.schema.fraud_tables import AuditRow
from service.db.schema.tables import ApiKeyRow, ClientRow
from service.errors import GatewayError
from service.vault import Vault, new_api_key

# How many characters of a key, after its prefix, the list shows.
HINT = 5
DAY, MINUTE = "%Y-%m-%d", "%Y-%m-%d %H:%M"
# PostgreSQL takes dates that Python cannot read: one such key would keep every key from being read.
LONGEST_LIFE = timedelta(days=3650)


class OtherKind(GatewayError):
    """A key of a test client for a client that is none, or the reverse."""


class NewKey(NamedTuple):
    """A key that was made, and its id in the list."""

    id: int
    key: str


class KeyAdmin:
    """The clients and keys of one database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def create(
        self, name: str, scope: Scope = "verify", *, test: bool = False, ends_after: timedelta | None = None,
        observe: timedelta | None = None,
    ) -> str:  # fmt: skip
        """Create a key as `make` does; return the key alone."""
        return (await self.make(name, scope, test=test, ends_after=ends_after, observe=observe)).key

    async def make(
        self,
        name: str,
        scope: Scope,
        *,
        test: bool,
        ends_after: timedelta | None,
        by: int | None = None,
        observe: timedelta | None = None,
    ) -> NewKey:
        """Create a key for a client, and the client if it is new; audited under `by`, an operator's key.

        `ends_after`: how long the key is valid, None for no end. Raises OtherKind if the client is a test client and
        the key is not, or the reverse.
        """
        key = new_api_key(test=test)
        async with self._database.begin() as connection:
            known = upsert(ClientRow).values(name=name, test=test).on_conflict_do_nothing()
            await connection.execute(known)
            client = (
                await connection.execute(select(ClientRow.id, ClientRow.test).where(ClientRow.name == name))
            ).one()
            if client.test != test:
                kind = "a test client" if client.test else "no test client"
                raise OtherKind(f"{name} is {kind}, and stays what it was made.")
            if observe is not None:
                await connection.execute(_observe(client.id, observe))
            digest = self._vault.digests(key)[0]
            row = insert(ApiKeyRow).values(
                client_id=client.id, digest=digest, hint=key[: key.index("_") + HINT], scope=scope,
                ends_at=None if ends_after is None else func.clock_timestamp() + ends_after,
            )  # fmt: skip
            made = (await connection.execute(row.returning(ApiKeyRow.id))).scalar_one()
            await connection.execute(_note("create_key", made, by))
        return NewKey(made, key)

    async def list(self) -> list[str]:
        """Describe every key in one line each."""
        statement = (
            select(ApiKeyRow, ClientRow.name, ClientRow.test, func.now().label("now"))
            .join(ClientRow, ClientRow.id == ApiKeyRow.client_id)
            .order_by(ApiKeyRow.id)
        )
        async with self._database.begin() as connection:
            rows = (await connection.execute(statement)).all()
        return [_describe(row) for row in rows]

    async def revoke(self, key_id: int, by: int | None = None) -> bool:
        """Revoke one key, audited under `by`; False when there is none to revoke."""
        statement = (
            update(ApiKeyRow)
            .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
            .values(revoked_at=func.now())
        )
        async with self._database.begin() as connection:
            revoked = (await connection.execute(statement)).rowcount > 0
            if revoked:
                await connection.execute(_note("revoke_key", key_id, by))
        return revoked


def _observe(client: int, length: timedelta) -> Update:
    now = func.clock_timestamp()
    return update(ClientRow).where(ClientRow.id == client).values(observed_from=now, observed_until=now + length)


def _note(action: str, key_id: int, by: int | None) -> Insert:
    return insert(AuditRow).values(at=func.clock_timestamp(), key_id=by, action=action, row_id=key_id)


def _describe(row: Row[*tuple[Any, ...]]) -> str:
    words = [str(row.id), f"{row.name} (test)" if row.test else row.name, row.scope, f"{row.hint}…"]
    words += [f"{row.created_at:{DAY}}", f"used {row.last_used_at:{MINUTE}}" if row.last_used_at else "never used"]
    if row.ends_at:
        words.append(f"{'ended' if row.ends_at <= row.now else 'ends'} {row.ends_at:{MINUTE}}")
    if row.revoked_at:
        words.append(f"revoked {row.revoked_at:{MINUTE}}")
    return "  ".join(words)
