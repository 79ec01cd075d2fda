"""How the sandbox's apps are put together: what handlers share is given to them by name.

Called by sandbox.telnyx.app, sandbox.fingerprint.app and main. None of the apps documents itself or touches the logging
of the process that it lives in.
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
    """An app whose handlers can ask for each of `shared` by name; `app.state` holds the same."""
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
