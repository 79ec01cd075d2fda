"""Micro-batches: one call in flight, and what waits meanwhile goes in the next call (in several, if it fills them).

Used by verification.storage.store and fraud.storage.store, for their frequent statements. Knows nothing of what it
carries. A batch must be safe to run again with the same items, because that is how an unclear end is cleared up.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from service.db.faults import RETRY_AFTER, LockNotAvailable
from service.errors import Unavailable, Unclear

Item = TypeVar("Item")  # what a batch is made of
Result = TypeVar("Result")  # what becomes of it
# Carries a batch, and returns one result for each item, in order.
Run: TypeAlias = Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]
# Seconds until a connection that was closed is known to be: before that the pool would lend it again.
FAREWELL = 0.05
# Seconds, at most, between two attempts to clear up a batch whose end is unclear.
ASK_EVERY = 0.4
# Seconds between two looks for callers that have waited too long.
SWEEP = 0.1
# A call is expected to take as long as the shortest of so many: a standstill says nothing about the next call.
SEEN = 4
# Seconds that an item may wait in any case: if none were carried, no shorter call would ever be seen.
LEAST_PATIENCE = 0.25
# Seconds that an item waits behind a failed call, unless its caller's patience is shorter.
BEHIND_FAILURE = 2.5
# From so many of the newest items it is told how many come a second.
COUNTED = 8

# Drawn, so that nobody can tell when the next call is made.
_dice = random.SystemRandom()


class Tick(NamedTuple):
    """How long a call waits for more items: a time between `least` and `most` seconds, drawn for each call.

    `busy`: it waits only while at least so many items come a second. Fewer would hardly share a call, and be delayed.
    """

    least: float
    most: float
    busy: float = 0.0


AT_ONCE = Tick(0.0, 0.0)


class Patience(NamedTuple):
    """How long callers wait, in seconds since they came. `begin`: for their call, at most; `answer`: for its end.

    `most`: how many may wait for their call; `calls`: how many calls are made at once while the queue fills whole ones.
    An item is not carried if a call of recent length would answer it too late.
    """

    begin: float
    answer: float
    most: int
    calls: int = 1


class Waiting(NamedTuple):
    """A caller that waits: since when, by the loop's clock, and whether they have hung up."""

    since: float
    gone: Callable[[], bool]


@dataclass(slots=True, eq=False)
class Place(Generic[Item, Result]):
    """An item in the queue, and who waits for it. `let_down`: answered as unclear while the item was carried."""

    item: Item
    waiting: Waiting
    future: asyncio.Future[Result]
    let_down: bool = False

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Batcher(Generic[Item, Result]):
    """Collects items, and passes them to `run` in batches."""

    def __init__(
        self, run: Run[Item, Result], most: int = 64, *, again: Run[Item, Result] | None = None,
        patience: Patience | None = None, undo: Callable[[Item], None] = lambda _: None,
        tick: Tick = AT_ONCE,
    ) -> None:  # fmt: skip
        """Carry at most `most` items a call.

        `patience` is for callers that must be answered in time; without it an item waits as long as calls keep ending.
        `undo` is told of each item that may have been carried though its caller got Unavailable.
        `tick`: how long a call waits for more.
        """
        self._run = run
        self._again = again or run
        self._most = most
        self._patience = patience
        self._calls = patience.calls if patience else 1
        self._undo = undo
        self._tick = tick
        self._line: deque[Place[Item, Result]] = deque()
        self._carried: set[Place[Item, Result]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._came: deque[float] = deque(maxlen=COUNTED)
        self._took: deque[float] = deque([0.0], maxlen=SEEN)

    async def submit(self, item: Item, waiting: Waiting | None = None) -> Result:
        """Carry one item and return its result. Raises what its run raised, Unavailable, or Unclear."""
        loop = asyncio.get_running_loop()
        if self._patience and len(self._line) >= self._patience.most:
            raise Unavailable("too many wait already", RETRY_AFTER)
        place: Place[Item, Result] = Place(item, waiting or Waiting(loop.time(), _never), loop.create_future())
        self._line.append(place)
        self._came.append(loop.time())
        if not self._working or (len(self._line) >= self._most and self._working < self._calls):
            self._working += 1
            self._begin(self._work())
        if self._patience and self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP, self._sweep)
        return await place.future

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        try:
            while self._line:
                if len(self._line) < self._most and self._is_worth_waiting():
                    await asyncio.sleep(_dice.uniform(self._tick.least, self._tick.most))
                if batch := self._take():
                    await self._carry(batch)
        finally:
            self._working -= 1

    def _is_worth_waiting(self) -> bool:
        if not (self._tick.most and self._tick.busy):
            return self._tick.most > 0
        return len(self._came) == COUNTED and self._tick.busy * (self._came[-1] - self._came[0]) <= COUNTED

    def _take(self) -> list[Place[Item, Result]]:
        """Take the next batch from the queue, without items that nobody waits for or that have waited too long."""
        batch: list[Place[Item, Result]] = []
        while self._line and len(batch) < self._most:
            place = self._line.popleft()
            if place.waiting.gone() or self._is_late(place):
                place.fail(Unavailable("nothing was begun in time", RETRY_AFTER))
            elif not place.future.done():
                batch.append(place)
        return batch

    async def _carry(self, batch: list[Place[Item, Result]]) -> None:
        self._carried.update(batch)
        clock = asyncio.get_running_loop().time
        # Measured from here: the time in the queue says nothing about how long a call takes.
        begun = clock()
        try:
            results = await self._run([place.item for place in batch])
            answered = list(zip(batch, results, strict=True))
        except Unclear as error:
            self._ask_later(batch, error)
            return
        except Unavailable as error:
            # Locked rows are some item's own trouble; anything else that the database refuses, it refuses for all.
            if not isinstance(error, LockNotAvailable):
                self._refuse(batch, error)
                return
            await self._carry_singly(batch)
        except Exception:  # noqa: BLE001
            # One bad item (the encoder or the function refuses it) fails its whole batch: each is tried alone.
            await self._carry_singly(batch)
        else:
            self._answer(answered)
            self._took.append(clock() - begun)

    async def _carry_singly(self, batch: list[Place[Item, Result]]) -> None:
        for position, place in enumerate(batch):
            try:
                [result] = await self._again([place.item])
            except Unclear as error:
                self._ask_later(batch[position:], error)
                return
            except LockNotAvailable as error:
                self._let_go([place], error)
            except Unavailable as error:
                self._refuse(batch[position:], error)
                return
            except Exception as error:  # noqa: BLE001
                # It is this item's own, and its caller's to hear. Raised here it would leave all behind it waiting.
                self._let_go([place], error)
            else:
                self._answer([(place, result)])

    def _answer(self, answered: Sequence[tuple[Place[Item, Result], Result]]) -> None:
        for place, result in answered:
            self._carried.discard(place)
            if not place.future.done():
                place.future.set_result(result)
            # Its caller has been answered 503 already, so what was done now has to be undone.
            if place.let_down:
                self._undo(place.item)

    def _let_go(self, batch: Sequence[Place[Item, Result]], error: BaseException) -> None:
        """Raise Unavailable for these: they were certainly not carried."""
        self._carried.difference_update(batch)
        for place in batch:
            place.fail(error)

    def _refuse(self, batch: Sequence[Place[Item, Result]], error: Unavailable) -> None:
        """Raise an error for these, and for all that have waited too long behind them."""
        late = asyncio.get_running_loop().time() - BEHIND_FAILURE
        # Without this, everything behind a database that is away would wait its whole patience for a call that fails
        # too.
        while self._line and self._line[0].waiting.since < late:
            self._line.popleft().fail(error)
        self._let_go(batch, error)

    def _ask_later(self, batch: list[Place[Item, Result]], error: Unclear) -> None:
        """Clear up what became of these, beside the calls of later items."""
        self._begin(self._ask_again(batch, error))

    async def _ask_again(self, batch: list[Place[Item, Result]], error: Unclear) -> None:
        """Run a batch again until its end is clear or nobody waits any longer; once if no patience is set."""
        pause, left = FAREWELL, batch
        while left:
            await asyncio.sleep(pause)
            pause = min(2 * pause, ASK_EVERY)
            # A caller that has given up is not asked about again: what may have been done for it is undone below.
            waiting = [place for place in left if not place.future.done()]
            try:
                results = await self._again([place.item for place in waiting]) if waiting else []
                answered = list(zip(waiting, results, strict=True))
            except Unavailable:
                left = waiting if self._patience else []
            except Exception as defect:  # noqa: BLE001
                # The callers' to hear: raised here it would leave them waiting, and nothing would be undone.
                left = []
                for place in waiting:
                    place.fail(defect)
            else:
                self._answer(answered)
                batch = [place for place in batch if place not in waiting]
                left = []
        self._carried.difference_update(batch)
        for place in batch:
            place.fail(Unclear(str(error), RETRY_AFTER))
            self._undo(place.item)

    def _is_late(self, place: Place[Item, Result]) -> bool:
        if self._patience is None:
            return False
        in_time = max(LEAST_PATIENCE, self._patience.answer - min(self._took))
        return self._age(place) > min(self._patience.begin, in_time)

    @staticmethod
    def _age(place: Place[Item, Result]) -> float:
        return place.future.get_loop().time() - place.waiting.since

    def _sweep(self) -> None:
        """Answer callers whose patience is over, whatever the call in flight does."""
        assert self._patience  # noqa: S101 (nobody else starts it)
        while self._line and self._is_late(self._line[0]):
            self._line.popleft().fail(Unavailable("nothing was begun in time", RETRY_AFTER))
        for place in self._carried:
            if not place.future.done() and self._age(place) > self._patience.answer:
                place.let_down = True
                place.fail(Unclear("the database did not answer in time", RETRY_AFTER))
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(SWEEP, self._sweep) if self._line or self._carried else None


def _never() -> bool:
    return False
