"""What takes seconds to find out, found out in the background and kept for some minutes, while somebody looks.

Called by api, for the console: the outcomes of rules, the doctor's list. Each process finds out for itself, once
at a time, however many look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec

from service import telemetry

# Seconds for which a page waits for what is just being found out.
PATIENCE = 0.1

T = TypeVar("T")


class Found(msgspec.Struct, Generic[T], frozen=True):
    """What was found out last, and when; None before the first time. `busy`: it is being found out anew."""

    at: datetime | None
    what: T | None
    busy: bool


class Latest(Generic[T]):
    """The newest answer to one question."""

    def __init__(self, ask: Callable[[], Awaitable[T]], fresh: float) -> None:
        """`fresh`: seconds after which an answer is old."""
        self._ask = ask
        self._fresh = fresh
        self._found: Found[T] = Found(None, None, busy=False)
        self._asked_at = -fresh
        self._task: asyncio.Task[None] | None = None

    async def look(self, *, anew: bool = False) -> Found[T]:
        """Return the newest answer; ask again if it is old, or with `anew`."""
        idle = self._task is None or self._task.done()
        if idle and (anew or time.monotonic() - self._asked_at > self._fresh):
            self._asked_at = time.monotonic()
            self._task = asyncio.create_task(self._find())
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=PATIENCE)
        busy = self._task is not None and not self._task.done()
        return msgspec.structs.replace(self._found, busy=busy)

    async def stop(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _find(self) -> None:
        try:
            what = await self._ask()
        except Exception as error:
            telemetry.log.warning("look_failed", exc_info=error)
            return
        self._found = Found(datetime.now(UTC), what, busy=False)
