"""The short way to the handlers of the two calls that nearly every request is: a new verification, and a code.

Wrapped around Litestar by app. It must answer as Litestar does: whatever is not plainly one of these calls goes there.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from litestar import Litestar, MediaType, Request, Response
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.serialization import encode_json
from litestar.types import HTTPScope, Receive, Scope, Send
from litestar.types.asgi_types import HTTPResponseBodyEvent, HTTPResponseStartEvent

from service.api.answers import answer
from service.api.bodies import AnyRequest

REQUEST, CHECK = "/v1/verifications", "/v1/verifications/{verification_id:uuid}/verify"
CHECKED = re.compile(r"/v1/verifications/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/verify")
# Others may be valid as well, which is for Litestar to say.
PLAIN_HOST = re.compile(rb"[A-Za-z0-9.-]+(?::[0-9]+)?")


class _Target:
    """A handler, and the template of its path as logs and metrics have it."""

    def __init__(self, route: HTTPRoute) -> None:
        self.handler: HTTPRouteHandler = route.route_handler_map["POST"][0]
        self.template = route.path_format


class ShortWay:
    """Wraps Litestar. Its routing, parameters and responses cost as much as all that these two handlers do themselves.

    The handlers stay Litestar's: their paths, their methods, the limit on a body, and the OpenAPI file.
    """

    def __init__(self, app: Litestar) -> None:
        self._app = app
        found = {route.path: route for route in app.routes if isinstance(route, HTTPRoute)}
        self._request, self._check = (_Target(found[path]) for path in (REQUEST, CHECK))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request, or the app's lifespan."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST" or not _is_plain(scope):
            await self._app(scope, receive, send)
        elif scope["path"] == REQUEST:
            await self._run(self._request, {}, scope, receive, send)
        elif (path := CHECKED.fullmatch(scope["path"])) is not None:
            await self._run(self._check, {"verification_id": UUID(path[1])}, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _run(
        self, target: _Target, given: dict[str, Any], scope: HTTPScope, receive: Receive, send: Send
    ) -> None:
        handler = target.handler
        scope["app"] = scope["litestar_app"] = self._app
        scope["route_handler"], scope["path_template"], scope["path_params"] = handler, target.template, given
        scope.setdefault("state", {})
        request: AnyRequest = Request(scope, receive, send)
        try:
            response: Response[Any] = await handler.fn(request, **given)
        except Exception as error:  # noqa: BLE001 (as Litestar does: whatever was raised has an answer)
            response = answer(request, error)
        body = encode_json(response.content)
        headers = [
            *((name.lower().encode(), value.encode()) for name, value in response.headers.items()),
            (b"content-type", (response.media_type or MediaType.JSON).encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        status = response.status_code or handler.status_code
        await send(HTTPResponseStartEvent(type="http.response.start", status=status, headers=headers))
        await send(HTTPResponseBodyEvent(type="http.response.body", body=body, more_body=False))


def _is_plain(scope: HTTPScope) -> bool:
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return not scope.get("root_path") and PLAIN_HOST.fullmatch(host) is not None
