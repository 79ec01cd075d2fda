"""What Telnyx sends to the webhook, as far as it is read: four fields, and never the code beside them.

Read by webhooks, documents and examples.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

WORD = r"^[\x21-\x7e]+(?!\n)$"
EventId = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=WORD, examples=["b5c9f9a2-3ba6-4b56-9a0e-3e6dcb9b8f0e"],
        description="The event's id: one that came before has no effect.",
    ),
]  # fmt: skip
EventType = Annotated[
    str,
    Meta(
        min_length=1, max_length=128, pattern=WORD, examples=["verify.delivered"],
        description="verify.sent, verify.delivered and verify.failed have an effect.",
    ),
]  # fmt: skip
ProviderId = Annotated[str, Meta(min_length=1, max_length=128, pattern=WORD)]
Delivery = str
# Decoded only where the event's type is known: Telnyx may send what we have never heard of.
AnyPayload = Annotated[
    msgspec.Raw,
    Meta(
        description="The verification it is about: its `id` and `delivery_status` are read, for those three types.",
        examples=[{"id": "12ade33a-21c0-473b-b055-b3c836e1c292", "delivery_status": "delivered"}],
    ),
]


class Payload(msgspec.Struct):
    """Whose delivery, and how it stands."""

    id: ProviderId
    delivery_status: Delivery | None = None


class Event(msgspec.Struct):
    """One event."""

    id: EventId
    event_type: EventType
    payload: AnyPayload | msgspec.UnsetType = msgspec.UNSET


class Envelope(msgspec.Struct):
    """What stands around an event."""

    data: Annotated[Event, Meta(description="The event.")]


class Received(msgspec.Struct):
    """That it was taken."""

    received: Annotated[bool, Meta(description="Always true.", examples=[True])] = True
