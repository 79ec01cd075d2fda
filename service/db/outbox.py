"""What is owed to the database, and told to it until it has confirmed: nobody waits for it, and it must not be lost.

Used by verification.storage.store for what has to follow an answer. Lives in memory: what a process still owes when it
is killed has to be safe without it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from service import telemetry
from service.errors import Unavailable

Item = TypeVar("Item")

# Seconds until what was not confirmed is told again.
PAUSE = 0.25

# Tells the database of some items, and returns those that it has not confirmed.
Tell = Callable[[Sequence[Item]], Awaitable[Sequence[Item]]]


class Outbox(Generic[Item]):
    """Items in the order in which they came, told in batches. What is told must be safe to tell again."""

    def __init__(self, tell: Tell[Item], most: int = 64) -> None:
        """Tell at most `most` items at once."""
        self._tell = tell
        self._most = most
        self._owed: deque[Item] = deque()
        self._worker: asyncio.Task[None] | None = None

    def put(self, item: Item) -> None:
        self._owed.append(item)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def drain(self, limit: float) -> bool:
        """Wait until everything is confirmed, `limit` seconds at most. Says whether it is."""
        if self._worker is not None:
            await asyncio.wait([self._worker], timeout=limit)
        return self._worker is None

    async def _work(self) -> None:
        try:
            while self._owed:
                batch = [self._owed.popleft() for _ in range(min(self._most, len(self._owed)))]
                left = await self._try(batch)
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
