"""Telnyx's word about its sends: where it came from, its signature, its shape; then kept, and answered.

Routed by app. The body holds the code in clear: it is decoded into the four fields that are needed, and
dropped. Never logged, never stored, never repeated.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, post

from service import telemetry
from service.api.documents import problems
from service.api.parts import WebhookRules, parts_of
from service.api.problems import Forbidden, Malformed, Unsigned
from service.api.signature import is_signed
from service.api.source import came_by_https, source_of

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class Payload(msgspec.Struct):
    """Whose delivery, and how it stands."""

    id: Word
    delivery_status: str | None = None


class Event(msgspec.Struct):
    """One event; its payload is read only where its type is known."""

    id: Word
    event_type: Word
    payload: msgspec.Raw


class Envelope(msgspec.Struct):
    """What stands around an event."""

    data: Event


class Received(msgspec.Struct):
    """That it was taken."""

    received: bool = True


ENVELOPE = msgspec.json.Decoder(Envelope)
PAYLOAD = msgspec.json.Decoder(Payload)


@post(
    "/webhooks/verify",
    status_code=200,
    operation_id="receiveTelnyxWebhook",
    summary="Delivery events from Telnyx",
    tags=["Telnyx"],
    responses=problems(s401="The signature does not fit.", s403="Not from Telnyx, or not over HTTPS."),
)
async def receive_webhook(request: Request[Any, Any, Any]) -> Received:
    """Take one event."""
    parts = parts_of(request)
    await _admit(request, parts.webhooks)
    event, payload = _decode(await request.body())
    kept = payload is not None and await parts.events.keep(
        event.id, event.event_type, payload.id, payload.delivery_status
    )
    telemetry.WEBHOOKS.labels("kept" if kept else "ignored").inc()
    return Received()


async def _admit(request: Request[Any, Any, Any], rules: WebhookRules) -> None:
    source = source_of(request, rules.trusted_proxies)
    if source is None or source not in rules.allowed:
        telemetry.WEBHOOKS.labels("wrong_source").inc()
        raise Forbidden
    if rules.require_https and not came_by_https(request, rules.trusted_proxies):
        telemetry.WEBHOOKS.labels("no_https").inc()
        raise Forbidden
    if rules.public_key is None:
        return
    signature = request.headers.get("telnyx-signature-ed25519", "")
    timestamp = request.headers.get("telnyx-timestamp", "")
    if not is_signed(rules.public_key, signature, timestamp, await request.body()):
        telemetry.WEBHOOKS.labels("unsigned").inc()
        raise Unsigned


def _decode(body: bytes) -> tuple[Event, Payload | None]:
    try:
        event = ENVELOPE.decode(body).data
        return event, PAYLOAD.decode(event.payload) if event.event_type.startswith("verify.") else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        telemetry.WEBHOOKS.labels("malformed").inc()
        raise Malformed from None
