"""The part of Telnyx's webhooks that is read: four fields, and never the code beside them.

Used by api.webhooks and api.openapi.examples. Whatever else a webhook contains is dropped before anything sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from service.providers.telnyx.client import TelnyxProvider
from service.providers.telnyx.signature import find_fault
from service.providers.verify.protocol import Delivery, DeliveryEvent, SignatureFault, Undecodable

DELIVERIES: dict[str, Delivery] = {
    "sent": "sent",
    "delivered": "delivered",
    "delivery_unconfirmed": "unconfirmed",
    "sending_failed": "failed",
    "delivery_failed": "failed",
}
# What an event of each type tells where its `delivery_status` is none of those. Other types tell us nothing.
TYPES: dict[str, Delivery] = {"verify.sent": "sent", "verify.delivered": "delivered", "verify.failed": "failed"}

WORD = r"^[\x21-\x7e]+\Z"
EventId = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=WORD, examples=["b5c9f9a2-3ba6-4b56-9a0e-3e6dcb9b8f0e"],
        description="The event's id: an event that came before has no effect.",
    ),
]  # fmt: skip
EventType = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=WORD, examples=["verify.delivered"],
        description="Only verify.sent, verify.delivered and verify.failed have an effect.",
    ),
]  # fmt: skip
ProviderId = Annotated[str, Meta(min_length=1, max_length=128, pattern=WORD)]
# Decoded only if the event's type is known: Telnyx may send types that we do not know.
AnyPayload = Annotated[
    msgspec.Raw,
    Meta(
        description="The verification it is about: its `id` and `delivery_status` are read, for those three types.",
        examples=[{"id": "12ade33a-21c0-473b-b055-b3c836e1c292", "delivery_status": "delivered"}],
    ),
]


class Payload(msgspec.Struct):
    """Which verification, and its delivery."""

    id: ProviderId
    delivery_status: str | None = None


class Event(msgspec.Struct):
    """One event, with its payload still undecoded."""

    id: EventId
    event_type: EventType
    payload: AnyPayload | msgspec.UnsetType = msgspec.UNSET


class Envelope(msgspec.Struct):
    """The envelope of an event."""

    data: Annotated[Event, Meta(description="The event.")]


EXAMPLES: dict[str, msgspec.Struct] = {
    "delivered": Envelope(
        Event(
            "b5c9f9a2-3ba6-4b56-9a0e-3e6dcb9b8f0e",
            "verify.delivered",
            msgspec.Raw(b'{"id": "12ade33a-21c0-473b-b055-b3c836e1c292", "delivery_status": "delivered"}'),
        )
    ),
}

_envelope = msgspec.json.Decoder(Envelope)
_payload = msgspec.json.Decoder(Payload)


class TelnyxWebhook:
    """Implements `DeliveryWebhook`. `public_key`: the account's; without one nothing need be signed."""

    def __init__(self, public_key: bytes | None = None) -> None:
        self._public_key = public_key

    def find_fault(self, headers: Mapping[str, str], body: bytes) -> SignatureFault | None:
        """Hold the signature against the account's key."""
        return find_fault(self._public_key, headers, body) if self._public_key is not None else None

    def read(self, body: bytes) -> DeliveryEvent | Undecodable | None:
        """Read what a body says of which send."""
        try:
            event = _envelope.decode(body).data
            if event.event_type not in TYPES:
                return None
            payload = _payload.decode(event.payload or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Undecodable()
        delivery = DELIVERIES.get(payload.delivery_status or "", TYPES[event.event_type])
        return DeliveryEvent(TelnyxProvider.name, event.id, payload.id, delivery)
