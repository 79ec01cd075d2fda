"""Composes the sandbox's apps: what handlers share is injected by name.

Called by sandbox.telnyx.app, sandbox.fingerprint.app and sandbox.main. None of the apps documents itself or touches the
logging of the process that it runs in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

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
        openapi_config=None,
        logging_config=None,
    )


def _give(thing: Any) -> Callable[[], Any]:
    def give() -> Any:
        return thing

    return give
