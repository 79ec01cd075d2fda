"""Composes the sandbox's apps: what handlers share is injected by name.

Called by sandbox.telnyx.app, sandbox.fingerprint.app and sandbox.main. None of the apps documents itself or touches the
logging of the process that it runs in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

# What a browser says of a request that a page of another site makes. The sandbox has no sessions that would tell.
OTHERS = {"cross-site", "same-site"}

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def compose_app(
    handlers: Sequence[ControllerRouterHandler], lifespan: Sequence[Lifespan], **shared: object
) -> Litestar:
    """Return an app whose handlers can request each of `shared` by name; `app.state` holds the same."""
    return Litestar(
        handlers,
        lifespan=list(lifespan),
        dependencies={name: Provide(_give(thing), sync_to_thread=False) for name, thing in shared.items()},
        state=State(shared),
        before_request=_refuse_other_sites,
        exception_handlers={RecursionError: _refuse_body, UnicodeDecodeError: _refuse_body},
        openapi_config=None,
        logging_config=None,
    )


def _give(thing: Any) -> Callable[[], Any]:
    def give() -> Any:
        return thing

    return give


def _refuse_other_sites(request: Request[Any, Any, Any]) -> Response[Any] | None:
    if request.method != "GET" and request.headers.get("sec-fetch-site") in OTHERS:
        return Response({"detail": "Only the sandbox's own pages may ask for this."}, status_code=403)
    return None


def _refuse_body(_: Request[Any, Any, Any], __: Exception) -> Response[Any]:
    """Answer what cannot be decoded at all: bytes that are no text, JSON nested too deep."""
    return Response({"detail": "The body cannot be read."}, status_code=400)
