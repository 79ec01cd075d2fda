"""The outermost ASGI layer: an id, one log line and two metrics for every request.

Wrapped around the app by app. Reads no body, and logs the route's template, never the path.
"""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.types.asgi_types import HTTPResponseBodyEvent, HTTPResponseStartEvent
from netaddr import IPSet

from service import telemetry, tracing
from service.api.access.auth import noted_caller
from service.api.access.source import source_of
from service.api.problems import KINDS, MEDIA_TYPE
from service.api.server.paths import refuse_other_spellings
from service.api.server.rush import Rush
from service.errors import Unavailable

HEADER = b"x-request-id"
# Refused keys and webhooks; a 429 without a caller is for too many unknown keys.
REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
BUSY = KINDS[Unavailable]
RETRY_AFTER = 2
REFUSAL = msgspec.json.encode(BUSY.problem(wait=RETRY_AFTER))
REFUSAL_HEADERS = (
    (b"content-type", MEDIA_TYPE.encode()),
    (b"content-length", str(len(REFUSAL)).encode()),
    (b"retry-after", str(RETRY_AFTER).encode()),
)


def name_requests(app: ASGIApp) -> ASGIApp:
    """Wrap an app so that the span of a request is named after its route, never after its path."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            # Before the reply is out: with its last byte the span ends.
            if message["type"] == "http.response.start" and scope["type"] == ScopeType.HTTP:
                tracing.name_request(scope["method"], scope.get("path_template") or "unmatched")
            await send(message)

        await app(scope, receive, answer)

    return run if tracing.is_on() else app


class Observation:
    """Wraps an ASGI app. `trusted`: the proxies whose forwarding headers are believed."""

    def __init__(self, app: ASGIApp, trusted: IPSet) -> None:
        self._app = app
        self._trusted = trusted
        self.rush = Rush()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the request an id, run it, and note how it ended."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        # Whatever becomes of it: one that joined and never began would make the queue look full for good.
        self.rush.begin()
        begun = time.perf_counter()
        named = secrets.token_hex(8)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, named.encode())]
            await send(message)

        refuse_other_spellings(scope)
        telemetry.request_id.set(named)
        try:
            await self._app(scope, receive, answer)
        finally:
            self._note(scope, status, time.perf_counter() - begun)

    async def refuse(self, _: Scope, __: Receive, send: Send) -> None:
        """Answer 503 as cheaply as possible: more requests come than can be read. Counted, not logged one by one."""
        telemetry.requests_of("refused", BUSY.status).inc()
        headers = [*REFUSAL_HEADERS, (HEADER, secrets.token_hex(8).encode())]
        await send(HTTPResponseStartEvent(type="http.response.start", status=BUSY.status, headers=headers))
        await send(HTTPResponseBodyEvent(type="http.response.body", body=REFUSAL, more_body=False))

    def _note(self, scope: HTTPScope, status: int, seconds: float) -> None:
        # Never the path: it is a stranger's text, may hold a number, and would make series without end.
        route = scope.get("path_template") or "unmatched"
        telemetry.requests_of(route, status).inc()
        telemetry.seconds_of(route).observe(seconds)
        who: dict[str, Any] = {}
        if (caller := noted_caller(scope)) is not None:
            who = {"client": caller.client, "key_id": caller.key_id}
        # Only for those who showed no valid key: an address in every line would be a record of who was where.
        if status in REFUSED or (status == HTTPStatus.TOO_MANY_REQUESTS and caller is None):
            who["source"] = str(source_of(ASGIConnection(scope), self._trusted) or "unknown")
        telemetry.log.info("http", route=route, status=status, ms=round(seconds * 1000, 1), **who)
