"""The gateway's routes, made once and lent to one served gateway of a test process after another.

Used by every test that serves a gateway in its own process: to make some eighty routes takes longer than most tests. A
gateway gives them back when its server has stopped; two that run at once never share them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ASGIApp, Receive, Send

from service.api.server.short_way import ShortWay
from service.app import create_routes

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]
free: list[Litestar] = []


def lend_routes(lifespan: Sequence[Lifespan]) -> ASGIApp:
    """Answer as shorten_routes does. Routes that are never served, or whose server fails, are not lent again."""
    routes = free.pop() if free else create_routes([])
    routes._lifespan_managers[:] = lifespan
    # What the last gateway left there would answer in the place of one that failed to open.
    routes.state = State()
    short = ShortWay(routes)

    async def run(scope: Any, receive: Receive, send: Send) -> None:
        await short(scope, receive, send)
        if scope["type"] == "lifespan":
            free.append(routes)

    return run
