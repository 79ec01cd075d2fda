"""What Telnyx reports by webhook: stored once, answered, applied afterwards.

Called by api; the worker applies them. Nothing of a delivery ever reaches a caller.
"""

from __future__ import annotations

from collections.abc import Callable

from service.providers.verify.protocol import DeliveryEvent
from service.verification.storage.store import Store


class DeliveryEvents:
    """Stores delivery events and wakes the worker that applies them."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    async def keep(self, event: DeliveryEvent) -> None:
        """Store one event; one that came before changes nothing."""
        # Only stored: Telnyx repeats what is not answered in time, and applying may have to wait for a send's record.
        await self._store.keep_event(event.provider, event.id, event.delivery, event.provider_id)
        self._wake()
