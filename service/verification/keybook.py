"""Make, list and revoke API keys. Cold: SQLAlchemy over the declared tables.

Called by cli and the sandbox. A key leaves `create` once; the database holds its digest.
"""

from __future__ import annotations

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from service.db.engine import Database
from service.db.tables import ApiKey, Client
from service.errors import GatewayError
from service.vault import Vault, new_api_key

HINT = 7


class KeyBook:
    """The clients and keys of one database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Use the database's cold way in."""
        self._engine = database.engine
        self._vault = vault

    async def create(self, name: str, scope: str = "verify", *, test: bool = False) -> str:
        """Make a key for a client, and the client if it is new. Raises GatewayError if that is of the other kind."""
        key = new_api_key()
        async with self._engine.begin() as connection:
            made = upsert(Client).values(name=name, test=test).on_conflict_do_nothing()
            await connection.execute(made)
            client = (await connection.execute(select(Client.id, Client.test).where(Client.name == name))).one()
            if client.test != test:
                kind = "a test client" if client.test else "no test client"
                raise GatewayError(f"{name} is {kind}, and stays what it was made.")
            digest = self._vault.digests(key)[0]
            row = insert(ApiKey).values(client_id=client.id, digest=digest, hint=key[:HINT], scope=scope)
            await connection.execute(row)
        return key

    async def list(self) -> list[str]:
        """Describe every key, a line each."""
        statement = (
            select(ApiKey.id, Client.name, Client.test, ApiKey.hint, ApiKey.scope, ApiKey.created_at, ApiKey.revoked_at)
            .join(Client, Client.id == ApiKey.client_id)
            .order_by(ApiKey.id)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            f"{row.id}  {row.name}{' (test)' if row.test else ''}  {row.scope}  {row.hint}…  {row.created_at:%Y-%m-%d}"
            f"{f'  revoked {row.revoked_at:%Y-%m-%d %H:%M}' if row.revoked_at else ''}"
            for row in rows
        ]

    async def revoke(self, key_id: int) -> bool:
        """Revoke one key; False when there is none to revoke."""
        statement = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=func.now())
        async with self._engine.begin() as connection:
            return (await connection.execute(statement)).rowcount > 0
