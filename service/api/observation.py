"""Around every request: an id, one log line, two metrics. The outermost ASGI layer.

Wrapped around the app by app. Reads no body, and logs the route's template, never the path.
"""

from __future__ import annotations

import secrets
import time
from functools import cache

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service import telemetry

HEADER = b"x-request-id"
# Finding a metric by its labels costs more than counting in it, and there are few.
count_of = cache(telemetry.REQUESTS.labels)
seconds_of = cache(telemetry.SECONDS.labels)


class Observation:
    """An ASGI app around another."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request, let it through, and note how it ended."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        request_id = secrets.token_hex(8)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, request_id.encode())]
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        try:
            await self._app(scope, receive, answer)
        finally:
            _note(scope, status, time.perf_counter() - begun)


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = scope.get("path_template") or "unmatched"
    count_of(route, status).inc()
    seconds_of(route).observe(seconds)
    telemetry.log.info("http", route=route, status=status, ms=round(seconds * 1000, 1))
