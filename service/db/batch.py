"""Micro-batches: one call in flight, and what waits meanwhile goes in the next call.

Called by verification.store for its hot statements. Knows nothing of what it carries. Whatever a batch
carries must be safe to run again with the same items, because an unclear end is tried again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import asyncpg

from service.db.connecting import Unreachable
from service.db.engine import LOST
from service.errors import Unavailable

Item = TypeVar("Item", contravariant=True)  # noqa: PLC0105 (what a batch is made of)
Result = TypeVar("Result", covariant=True)  # noqa: PLC0105 (what becomes of it)

# It was not done, and that is certain: another try at once would only add to its load.
HOPELESS = (asyncpg.QueryCanceledError, TimeoutError, Unreachable)
# Seconds that an item waits for its turn: a database that hangs must not gather callers without end.
PATIENCE = 2.5
# Seconds until a connection that was ended is known to be: before that the pool would hand it out again.
FAREWELL = 0.05


class Run(Protocol[Item, Result]):
    """What carries a batch: one result an item, in order. `again`: the items may have been carried already."""

    def __call__(self, items: Sequence[Item], /, *, again: bool) -> Awaitable[Sequence[Result]]: ...


class Place(NamedTuple, Generic[Item, Result]):
    """An item in line, who waits for its result, and since when."""

    item: Item
    future: asyncio.Future[Result]
    since: float


class Batcher(Generic[Item, Result]):
    """Collects items, and hands them to `run` as one."""

    def __init__(self, run: Run[Item, Result], most: int = 64) -> None:
        """Carry at most `most` items a call."""
        self._run = run
        self._most = most
        self._line: deque[Place[Item, Result]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Carry one item and return its result. Raises what its own run raised, or Unavailable."""
        loop = asyncio.get_running_loop()
        place = Place[Item, Result](item, loop.create_future(), loop.time())
        self._line.append(place)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await place.future

    async def _work(self) -> None:
        try:
            while self._line:
                await self._carry([self._line.popleft() for _ in range(min(self._most, len(self._line)))])
        finally:
            self._worker = None

    async def _carry(self, batch: list[Place[Item, Result]]) -> None:
        try:
            results = await self._run([place.item for place in batch], again=False)
            answered = list(zip(batch, results, strict=True))
        except HOPELESS as error:
            self._fail(batch, error)
        except LOST:
            await asyncio.sleep(FAREWELL)
            await self._carry_singly(batch)
        except Exception:  # noqa: BLE001 (one bad item fails its whole batch: each is tried alone)
            await self._carry_singly(batch)
        else:
            for place, result in answered:
                if not place.future.done():
                    place.future.set_result(result)

    async def _carry_singly(self, batch: list[Place[Item, Result]]) -> None:
        for position, place in enumerate(batch):
            try:
                [result] = await self._run([place.item], again=True)
            except (*HOPELESS, *LOST) as error:
                self._fail(batch[position:], error)
                return
            except Exception as error:  # noqa: BLE001 (it is this item's own, and goes to its caller)
                if not place.future.done():
                    place.future.set_exception(error)
            else:
                if not place.future.done():
                    place.future.set_result(result)

    def _fail(self, batch: Sequence[Place[Item, Result]], error: BaseException) -> None:
        """Fail these, and all who have waited behind them for too long."""
        late = asyncio.get_running_loop().time() - PATIENCE
        overdue = [self._line.popleft() for place in list(self._line) if place.since < late]
        for place in [*batch, *overdue]:
            if not place.future.done():
                unavailable = Unavailable(f"the database did not answer: {type(error).__name__}", retry_after=2)
                place.future.set_exception(unavailable)
