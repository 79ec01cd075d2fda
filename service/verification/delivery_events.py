"""What Telnyx tells by webhook: kept once, answered, applied after.

Called by api; the worker applies. What steers a delivery here never reaches a caller.
"""

from __future__ import annotations

from collections.abc import Callable

from service.providers.verify.protocol import Delivery
from service.verification.storage.store import Store

DELIVERIES: dict[str, Delivery] = {
    "sent": "sent",
    "delivered": "delivered",
    "delivery_unconfirmed": "unconfirmed",
    "sending_failed": "failed",
    "delivery_failed": "failed",
}
TYPES: dict[str, Delivery] = {"verify.sent": "sent", "verify.delivered": "delivered", "verify.failed": "failed"}


class DeliveryEvents:
    """Keeps events and wakes whoever applies them."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        """Wire the parts."""
        self._store = store
        self._wake = wake

    async def keep(self, event_id: str, event_type: str, provider_id: str, told: str | None) -> bool:
        """Keep one event; False when it says nothing that we act on."""
        delivery = DELIVERIES.get(told or "") or TYPES.get(event_type)
        if delivery is None:
            return False
        await self._store.keep_event(event_id, event_type, delivery, provider_id)
        self._wake()
        return True
