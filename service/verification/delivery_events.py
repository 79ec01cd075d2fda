"""What a provider tells by webhook of its sends: kept once, answered, applied after.

Called by api; the worker applies. What steers a delivery here never reaches a caller.
"""

from __future__ import annotations

from collections.abc import Callable

from service.providers.verify.protocol import DeliveryEvent
from service.verification.storage.store import Store


class DeliveryEvents:
    """Keeps events and wakes whoever applies them."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    async def keep(self, event: DeliveryEvent) -> None:
        """Keep one event; one that came before changes nothing."""
        await self._store.keep_event(event.provider, event.id, event.delivery, event.provider_id)
        self._wake()
