"""Telnyx's webhooks: source, HTTPS, signature and shape are checked, then the event is stored and answered.

Routed by app. The body contains the code in clear text: it is decoded into the four fields that are needed, and
dropped. Never logged, stored or repeated.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from netaddr import IPAddress

from service import telemetry
from service.api.access.source import came_by_https, peer_of, source_of
from service.api.bodies import read_bytes
from service.api.openapi.document import ApiCall
from service.api.problems import Forbidden, MalformedRequest, Unsigned
from service.api.schemas.product import Received
from service.api.services import WebhookRules, services_of
from service.api.webhook_refusals import WebhookRefusals, Why
from service.errors import Unavailable
from service.providers.telnyx.webhook import Envelope
from service.providers.verify.protocol import Undecodable


@post(
    "/webhooks/verify",
    status_code=200,
    operation_id="receiveTelnyxWebhook",
    summary="Take an event of Telnyx",
    description="From Telnyx's addresses only, over HTTPS, and signed where the gateway knows the public key. An event "
    "that came before, or of a type that is not known, is taken and has no effect.",
    tags=["Telnyx"],
    call=ApiCall(
        means="Taken.",
        takes=Envelope,
        gives=Received,
        problems=(Unsigned, Forbidden, Unavailable),
        body_problems=(MalformedRequest, RequestEntityTooLarge),
    ),
)
async def receive_webhook(request: Request[Any, Any, Any]) -> Received:
    """Check and store one event."""
    services = services_of(request)
    # Before the body is read, and before any signature is computed: both cost more than looking at an address.
    source = _admit(request, services.webhooks, services.refusals)
    body = await read_bytes(request)
    # Over the bytes as they came: decoded and written again, they would not fit the signature.
    if fault := services.webhooks.provider.find_fault(request.headers, body):
        services.refusals.count(fault, source)
        raise Unsigned
    # Every check has passed. A body that makes no sense is another matter, and no sign of a wrong setting.
    services.refusals.end()
    event = services.webhooks.provider.read(body)
    if isinstance(event, Undecodable):
        telemetry.WEBHOOKS.labels("malformed").inc()
        raise MalformedRequest
    if event is not None:
        await services.events.keep(event)
        services.traces.tell(event)
    telemetry.WEBHOOKS.labels("kept" if event else "ignored").inc()
    return Received()


def _admit(request: Request[Any, Any, Any], rules: WebhookRules, refusals: WebhookRefusals) -> IPAddress:
    """Return where it came from. Raises Forbidden where nothing is taken from there, or not like this."""
    source = source_of(request, rules.trusted_proxies)
    if source is None or source not in rules.allowed:
        refusals.count(_find_why(request, source, rules), source)
        raise Forbidden
    if rules.require_https and not came_by_https(request, rules.trusted_proxies):
        refusals.count("no_https", source)
        raise Forbidden
    return source


def _find_why(request: Request[Any, Any, Any], source: IPAddress | None, rules: WebhookRules) -> Why:
    if source is None:
        return "unreadable"
    # If no proxy is trusted, the source is the peer itself.
    by_proxy = "x-forwarded-for" in request.headers and source == peer_of(request)
    return "untrusted_proxy" if by_proxy and source not in rules.trusted_proxies else "unlisted"
