"""What a process has open: each part is closed in the reverse order of its opening, whatever becomes of the others.

Used by app, and by what opens several parts for it. Knows no part; a part that does not close in time is left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol, TypeVar

from service import telemetry

# Seconds that a part has to close, where nothing else is said; and to take in that it has to stop trying.
CLOSE_LIMIT = 5.0
LAST_WORDS = 0.5


class Closable(Protocol):
    """What has to be closed."""

    async def aclose(self) -> None:
        """Give back what it holds."""


P = TypeVar("P", bound=Closable)


class Lifetime(AsyncExitStack):
    """Parts, from the opening of each until the context ends: also where a later one does not open."""

    def hold(self, part: P, limit: float = CLOSE_LIMIT) -> P:
        """Have a part closed when its turn comes, within `limit` seconds; return it."""
        self.at_end(type(part).__name__, part.aclose, limit)
        return part

    def at_end(self, name: str, close: Callable[[], Awaitable[object]], limit: float = CLOSE_LIMIT) -> None:
        """Have this done when its turn comes: what fails, or is not done in time, is logged and keeps no other."""
        self.push_async_callback(_close, name, close, limit)


async def _close(name: str, close: Callable[[], Awaitable[object]], limit: float) -> None:
    # A task of its own, which is not waited for if it does not heed its cancellation either.
    closing = asyncio.ensure_future(close())
    try:
        await asyncio.wait([closing], timeout=limit)
    finally:
        late = closing.cancel()
    if late:
        telemetry.log.error("not_closed", part=name, seconds=limit)
        await asyncio.wait([closing], timeout=LAST_WORDS)
    elif not closing.cancelled() and (error := closing.exception()) is not None:
        telemetry.log.error("close_failed", part=name, exc_info=error)
