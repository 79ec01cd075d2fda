"""Who an API key belongs to. What a key says never changes, so one look in the database does for a process.

Called by api. That a key was revoked is not decided here: every hot statement checks it, at no round trip.
"""

from __future__ import annotations

import hashlib

from service.errors import NotAuthorized
from service.fraud.policy import Policies
from service.vault import Vault
from service.verification.callers import Caller
from service.verification.store import Store

LONGEST_KEY = 128


class KeyRing:
    """Knows the keys it has seen to be good; holds digests only, one for each key in the database at most."""

    def __init__(self, store: Store, vault: Vault, policies: Policies) -> None:
        """Start with none."""
        self._store = store
        self._vault = vault
        self._policies = policies
        self._known: dict[bytes, Caller] = {}

    async def caller(self, api_key: str) -> Caller:
        """Return whom a key speaks for. Raises NotAuthorized for one that is not known to the database."""
        if len(api_key) > LONGEST_KEY:
            raise NotAuthorized
        name = hashlib.sha256(api_key.encode()).digest()
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = await self._look(api_key)
        return known

    async def _look(self, api_key: str) -> Caller:
        row = await self._store.key(self._vault.digests(api_key))
        if row is None:
            raise NotAuthorized
        return Caller(
            key_id=row["id"],
            client_id=row["client_id"],
            client=row["name"],
            test=row["test"],
            operator=row["scope"] == "operator",
            policy=self._policies.of(row["name"]),
        )

    async def check(self, caller: Caller) -> None:
        """Raise NotAuthorized when the key was revoked: for what is not a hot statement."""
        if not await self._store.key_is_good(caller.key_id):
            raise NotAuthorized
