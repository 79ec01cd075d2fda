"""Telnyx's word about its sends: where it came from, its signature, its shape; then kept, and answered.

Routed by app. The body holds the code in clear: it is decoded into the four fields that are needed, and
dropped. Never logged, never stored, never repeated.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, post
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from netaddr import IPAddress

from service import telemetry
from service.api.access.source import came_by_https, peer_of, source_of
from service.api.bodies import read_bytes
from service.api.openapi.document import Call
from service.api.problems import Forbidden, Malformed, Unsigned
from service.api.refusals import Refusals, Why
from service.api.services import WebhookRules, services_of
from service.errors import Unavailable
from service.providers.telnyx.signature import is_current, is_signed
from service.providers.telnyx.webhook import Envelope, Event, Payload, Received
from service.verification.delivery_events import TYPES

ENVELOPE = msgspec.json.Decoder(Envelope)
PAYLOAD = msgspec.json.Decoder(Payload)


@post(
    "/webhooks/verify",
    status_code=200,
    operation_id="receiveTelnyxWebhook",
    summary="Take an event of Telnyx",
    description="From Telnyx's addresses only, over HTTPS, and signed where the gateway knows the public key. An event "
    "that came before, or of a type that is not known, is taken and has no effect.",
    tags=["Telnyx"],
    call=Call(
        means="Taken.",
        takes=Envelope,
        gives=Received,
        problems=(Unsigned, Forbidden, Unavailable),
        body_problems=(Malformed, RequestEntityTooLarge),
    ),
)
async def receive_webhook(request: Request[Any, Any, Any]) -> Received:
    """Take one event."""
    services = services_of(request)
    await _admit(request, services.webhooks, services.refusals)
    event, payload = _decode(await read_bytes(request))
    kept = payload is not None and await services.events.keep(
        event.id, event.event_type, payload.id, payload.delivery_status
    )
    telemetry.WEBHOOKS.labels("kept" if kept else "ignored").inc()
    return Received()


async def _admit(request: Request[Any, Any, Any], rules: WebhookRules, refusals: Refusals) -> None:
    source = source_of(request, rules.trusted_proxies)
    if source is None or source not in rules.allowed:
        refusals.count(_find_why(request, source, rules), source)
        raise Forbidden
    if rules.require_https and not came_by_https(request, rules.trusted_proxies):
        refusals.count("no_https", source)
        raise Forbidden
    if rules.public_key is not None:
        signature = request.headers.get("telnyx-signature-ed25519", "")
        timestamp = request.headers.get("telnyx-timestamp", "")
        if not is_signed(rules.public_key, signature, timestamp, await read_bytes(request)):
            why: Why = "no_signature" if not signature else "other_key" if is_current(timestamp) else "stale"
            refusals.count(why, source)
            raise Unsigned
    refusals.end()


def _find_why(request: Request[Any, Any, Any], source: IPAddress | None, rules: WebhookRules) -> Why:
    if source is None:
        return "unreadable"
    # Where no proxy is trusted the source is the peer itself.
    by_proxy = "x-forwarded-for" in request.headers and source == peer_of(request)
    return "untrusted_proxy" if by_proxy and source not in rules.trusted_proxies else "unlisted"


def _decode(body: bytes) -> tuple[Event, Payload | None]:
    try:
        event = ENVELOPE.decode(body).data
        return event, PAYLOAD.decode(event.payload or b"") if event.event_type in TYPES else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        telemetry.WEBHOOKS.labels("malformed").inc()
        raise Malformed from None
