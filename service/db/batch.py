"""Micro-batches: one call in flight, and what waits meanwhile goes in the next call.

Called by verification.store for its hot statements. Knows nothing of what it carries. Whatever a batch
carries must be safe to run again with the same items, because an unclear end is tried again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import asyncpg

from service.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Run = Callable[[Sequence[Item], bool], Awaitable[Sequence[Result]]]

# The server did not do it and says so: another try at once would only add to its load.
HOPELESS = (asyncpg.QueryCanceledError, TimeoutError)
# The connection went away: what was sent may be committed or not.
LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError)


class Batcher(Generic[Item, Result]):
    """Collects items for `run(items, again)`, which answers one result an item, in order."""

    def __init__(self, run: Run[Item, Result], most: int = 64) -> None:
        """Carry at most `most` items a call."""
        self._run = run
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Carry one item and return its result. Raises what its own run raised, or Unavailable."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._carry(batch)
        finally:
            self._worker = None

    async def _carry(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._run([item for item, _ in batch], False)
        except HOPELESS as error:
            _fail(batch, error)
        except Exception:  # noqa: BLE001 (one bad item fails its whole batch: each is tried alone)
            await self._carry_singly(batch)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    async def _carry_singly(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        for position, (item, future) in enumerate(batch):
            try:
                [result] = await self._run([item], True)
            except (*HOPELESS, *LOST) as error:
                _fail(batch[position:], error)
                return
            except Exception as error:  # noqa: BLE001 (it is this item's own, and goes to its caller)
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)


def _fail(batch: Sequence[tuple[object, asyncio.Future[Result]]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            unavailable = Unavailable(f"the database did not answer: {type(error).__name__}", retry_after=2)
            future.set_exception(unavailable)
