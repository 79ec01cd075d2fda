"""Addresses that bring device events which Fingerprint never made: counted, and beyond a limit not looked up.

Called by fraud.judge. The count is in the database. A process reads it before a look-up only for an address that it
has seen invent one, so that other decisions cost nothing more.
"""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from service.fraud.storage.resolving import SendLimit
from service.fraud.storage.store import FraudStore
from service.policy.units import Window
from service.vault import Vault

# Addresses remembered at most; the oldest are forgotten first.
KEPT = 10_000


class ForgedEventTracker:
    """One process's suspects. In each process an address's first unknown id is looked up in any case."""

    def __init__(self, vault: Vault, store: FraudStore) -> None:
        self._vault = vault
        self._store = store
        self._suspects: OrderedDict[UUID, None] = OrderedDict()

    async def are_spent(self, network: str, windows: list[Window]) -> bool:
        """Return whether an address has no look-up left. Raises Unavailable."""
        subject = self._subject(network)
        return subject in self._suspects and await self._store.is_spent(SendLimit("event_forged", subject, windows))

    def note(self, network: str) -> UUID:
        """Suspect an address that brought an unknown id; return the subject that it counts against once resolved."""
        subject = self._subject(network)
        self._suspects[subject] = None
        self._suspects.move_to_end(subject)
        if len(self._suspects) > KEPT:
            self._suspects.popitem(last=False)
        return subject

    def _subject(self, network: str) -> UUID:
        return self._vault.hash(b"limit.forged", network)
