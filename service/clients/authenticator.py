"""Who an API key belongs to. That never changes, so a process keeps the digest of every valid key in memory.

Made by verification.core: api looks keys up in it, a round of the worker notes which were used. Whether a key was
revoked is not decided here: every statement on a request's path checks it, without a round trip. Unknown keys cost no
statement each: they share one look at the database, a few times a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

from service.clients.caller import Caller
from service.clients.store import KeyStore
from service.errors import Limited, NotAuthorized, Unavailable
from service.policy.model import Policies
from service.vault import Vault

LONGEST_KEY = 128
# Seconds between two looks for new keys.
LOOK_EVERY = 0.2


class Authenticator:
    """The valid keys that this process knows, as digests: two at most for each key in the database."""

    def __init__(self, store: KeyStore, vault: Vault, policies: Policies) -> None:
        self._store = store
        self._vault = vault
        self._policies = policies
        self._known: dict[bytes, Caller] = {}
        self._by_digest: dict[bytes, Caller] = {}
        self._looked_at = 0.0
        self._look: asyncio.Task[None] | None = None
        self._used: set[int] = set()

    def known(self, api_key: str) -> Caller | None:
        """Return the caller of a key that is already known; None for any other key, and for one that has ended."""
        caller = self._known.get(hashlib.sha256(api_key.encode()).digest())
        if caller is None or _has_ended(caller):
            return None
        self._used.add(caller.key_id)
        return caller

    async def find(self, api_key: str, check_stranger: Callable[[], None] = lambda: None) -> Caller:
        """Look for a key that this process does not know yet. Raises NotAuthorized, Unavailable.

        `check_stranger` is called before the database is asked about an unknown key, and may raise.
        """
        # To hash what a stranger sends must not cost more than a key does.
        if len(api_key) > LONGEST_KEY:
            raise NotAuthorized
        digests = self._vault.digests(api_key)
        if (found := self._among(digests)) is None:
            check_stranger()
            await self._look_again()
            found = self._among(digests)
        if found is None or _has_ended(found):
            raise NotAuthorized
        self._known[hashlib.sha256(api_key.encode()).digest()] = found
        self._used.add(found.key_id)
        return found

    async def enter(self, caller: Caller, *, search: bool = False) -> None:
        """Count an operator's call. Raises NotAuthorized if the key was revoked, Limited if it makes too many."""
        key, rules = str(caller.key_id), caller.policy.operators
        windows = [(self._vault.hash(b"limit.operator", key), window) for window in rules.calls]
        if search:
            windows += [(self._vault.hash(b"limit.search", key), window) for window in rules.searches]
        wait = await self._store.enter_operator(caller.key_id, windows)
        if wait is None:
            raise NotAuthorized
        if wait > 0:
            raise Limited(wait)

    async def keep_up(self) -> None:
        """Read which keys there are, and record which were used since the last time. Raises Unavailable."""
        await self._look_again()
        # Taken before the statement: cleared after it, a use that came meanwhile would never be written down.
        used, self._used = self._used, set()
        try:
            if used:
                await self._store.note_uses(sorted(used))
        except Unavailable:
            self._used |= used
            raise

    def _among(self, digests: list[bytes]) -> Caller | None:
        return next((self._by_digest[digest] for digest in digests if digest in self._by_digest), None)

    async def _look_again(self) -> None:
        """Wait for a look that begins after this call; everybody who waits shares it."""
        if self._look is None:
            self._look = asyncio.create_task(self._read())
        await asyncio.shield(self._look)

    async def _read(self) -> None:
        await asyncio.sleep(max(0.0, self._looked_at + LOOK_EVERY - time.monotonic()))
        # Whoever comes from here on may bring a key that is too new for this look.
        self._look, self._looked_at = None, time.monotonic()
        self._by_digest = {
            row["digest"]: Caller(
                key_id=row["id"],
                client_id=row["client_id"],
                client=row["name"],
                test=row["test"],
                scope=row["scope"],
                policy=self._policies.of(row["name"]),
                ends_at=row["ends_at"],
                observed_until=self._policies.observed_until(row["name"], row["observed_until"]),
            )
            for row in await self._store.list()
        }
        # What else a caller is never changes, but a period in which it is observed can be begun at any time.
        fresh = {caller.key_id: caller for caller in self._by_digest.values()}
        self._known = {digest: fresh.get(caller.key_id, caller) for digest, caller in self._known.items()}


def _has_ended(caller: Caller) -> bool:
    return caller.ends_at is not None and caller.ends_at <= datetime.now(UTC)
