"""Tells the database something until it confirms: nobody waits for it, and it must not be lost.

Used by verification.storage.owed for what has to follow a reply. Lives in memory: what a killed process still owed has
to be safe without it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from service import telemetry
from service.errors import Unavailable

Item = TypeVar("Item")

# Seconds until items that were not confirmed are told again.
PAUSE = 0.25

# Tells the database of some items, and returns those that it has not confirmed.
Tell = Callable[[Sequence[Item]], Awaitable[Sequence[Item]]]


class Outbox(Generic[Item]):
    """Items in order of arrival, told in batches. It must be safe to tell one again."""

    def __init__(self, tell: Tell[Item], most: int = 64) -> None:
        """`most`: items in one batch, at most."""
        self._tell = tell
        self._most = most
        self._owed: deque[Item] = deque()
        self._worker: asyncio.Task[None] | None = None

    def put(self, item: Item) -> None:
        """Add an item, to be told soon."""
        self._owed.append(item)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def drain(self, limit: float) -> bool:
        """Wait until everything is confirmed, `limit` seconds at most; return whether it is."""
        if self._worker is not None:
            await asyncio.wait([self._worker], timeout=limit)
        return self._worker is None

    async def _work(self) -> None:
        try:
            while self._owed:
                batch = [self._owed.popleft() for _ in range(min(self._most, len(self._owed)))]
                left = await self._try(batch)
                # At the end: one that cannot be confirmed must not hold up all that came after it.
                self._owed.extend(left)
                if left:
                    await asyncio.sleep(PAUSE)
        finally:
            self._worker = None

    async def _try(self, batch: Sequence[Item]) -> Sequence[Item]:
        try:
            return await self._tell(batch)
        except Unavailable:
            return batch
        except Exception:
            # A defect, of one item as a rule. Told singly, the others are confirmed; that one is dropped, because it
            # would fail again every PAUSE for as long as this process lives.
            if len(batch) == 1:
                telemetry.log.exception("not_told")
                return []
            return [left for item in batch for left in await self._try([item])]
