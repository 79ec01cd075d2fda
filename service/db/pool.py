"""A pool of connections for short statements: with asyncpg's own pool, lending costs more than the statement.

Opened by engine, used as Database.pool. A statement leaves nothing behind for the next one. The only place where the
driver's errors become ours; repeats only what the server rolled back in favour of another transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from service.db import faults
from service.errors import Unavailable

Record: TypeAlias = asyncpg.Record
Line: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Run: TypeAlias = Callable[..., Awaitable[Any]]

# Seconds that a connection may be idle: whatever is between us and the server forgets silent ones.
IDLE = 240.0
# How often a statement is run that is rolled back in favour of another (a deadlock, a failed serialisation).
TRIES = 3
# Seconds that a dropped connection has to cancel its statement on the server. Behind a pooler without a time limit, the
# statement would else keep its place in the server's lock queues after we have gone.
FAREWELL = 2.0


class Pool:
    """At most `most` connections, opened when needed, dropped when anything about them is in doubt."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Line]],
        most: int,
        patience: float,
        doubt: Callable[[Line], None] = lambda _: None,
        idle: float = IDLE,
    ) -> None:
        """`patience`: seconds to wait for a connection; `doubt` is told of one that was lost."""
        self._connect = connect
        self._most = most
        self._patience = patience
        self._doubt = doubt
        self._idle = idle
        self._free: list[tuple[Line, float]] = []
        self._lent: dict[Line, float] = {}
        self._places = 0
        self._waiting: deque[asyncio.Future[Line | None]] = deque()
        self._parting: set[asyncio.Task[None]] = set()
        self._returned = asyncio.Event()
        self._closed = False

    async def fetch(self, statement: str, *values: object) -> list[Record]:
        """Run a statement; return its rows.

        Raises Unavailable if it was not done, Unclear if nobody knows, ConstraintViolated; any other error of the
        driver is a defect.
        """
        rows: list[Record] = await self._run(asyncpg.Connection.fetch, statement, values)
        return rows

    async def fetchrow(self, statement: str, *values: object) -> Record | None:
        """Run a statement; return its first row. Raises as `fetch`."""
        row: Record | None = await self._run(asyncpg.Connection.fetchrow, statement, values)
        return row

    async def fetchval(self, statement: str, *values: object) -> Any:
        """Run a statement; return the first value of its first row. Raises as `fetch`."""
        return await self._run(asyncpg.Connection.fetchval, statement, values)

    async def execute(self, statement: str, *values: object) -> str:
        """Run a statement; return what the server says it did. Raises as `fetch`."""
        return str(await self._run(asyncpg.Connection.execute, statement, values))

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Line]:
        """Lend a connection for more than one statement, such as to hold a lock. It is dropped after that."""
        line = self._find_free() or await self._wait()
        self._lent[line] = time.monotonic()
        try:
            yield line
        finally:
            self._put_back(line, good=False)

    async def close(self) -> None:
        """Close every connection, lent ones when they come back."""
        self._closed = True
        while self._waiting:
            _tell(self._waiting.popleft(), None)
        free, self._free = self._free, []
        await asyncio.gather(*(line.close() for line, _ in free))
        # Each is closed when it comes back: closed under its statement, nobody would know whether that was done.
        while self._lent:
            self._returned.clear()
            await self._returned.wait()
        await asyncio.gather(*self._parting, return_exceptions=True)

    def terminate(self) -> None:
        """Close every connection at once."""
        for line in [*self._lent, *(line for line, _ in self._free)]:
            line.terminate()
        for task in self._parting:
            task.cancel()

    def longest_wait(self) -> float:
        """Return for how many seconds the oldest statement has been under way; 0 if there is none."""
        now = time.monotonic()
        return now - next(iter(self._lent.values()), now)

    async def _run(self, run: Run, statement: str, values: tuple[object, ...]) -> Any:
        for tried in range(1, TRIES + 1):
            line = self._find_free() or await self._wait()
            self._lent[line] = time.monotonic()
            # Not lent again if it is cut off in the middle: the next reply on it may belong to this statement.
            good = False
            try:
                found = await run(line, statement, *values)
                good = True
                return found
            except Exception as error:
                # The one place where the driver's errors become ours. What `classify` does not know stays as it is.
                fault = faults.classify(error)
                good = fault.line_is_good
                # A lost connection is rarely alone: its host is restarting, or gone.
                if not good and isinstance(fault.error, Unavailable):
                    self._drop_idle(line)
                if fault.again and tried < TRIES:
                    continue
                if fault.error is error:
                    raise
                raise fault.error from error
            finally:
                self._put_back(line, good=good)
        raise AssertionError

    def _drop_idle(self, lost: Line) -> None:
        """Close all idle connections after one was lost: if its host is gone, each would cost a time limit."""
        self._doubt(lost)
        for line, _ in self._free:
            line.terminate()

    def _find_free(self) -> Line | None:
        while self._free:
            # The one used last: it is the least likely to have been forgotten by what is between us and the server.
            line, since = self._free.pop()
            if not line.is_closed() and time.monotonic() - since < self._idle:
                return line
            line.terminate()
            self._places -= 1
        return None

    async def _wait(self) -> Line:
        """Open a connection if there is a free place, else wait for a connection or a place."""
        if self._places < self._most:
            self._places += 1
            return await self._open()
        place: asyncio.Future[Line | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            # Bounded, because with a database that hangs no connection ever comes back.
            async with asyncio.timeout(self._patience):
                line = await place
        except (TimeoutError, asyncio.CancelledError) as error:
            # It may have come at this very moment: were it not passed on, its place would be lost for good.
            if place.done() and not place.cancelled():
                self._pass_on(place.result())
            if isinstance(error, TimeoutError):
                raise Unavailable("No connection to the database was free in time.", faults.RETRY_AFTER) from error
            raise
        return line or await self._open()

    async def _open(self) -> Line:
        if self._closed:
            raise Unavailable("The connections to the database are closed.")
        line: Line | None = None
        try:
            line = await self._connect()
            return line
        except faults.UNCONNECTED as error:
            raise faults.unreachable(error) from error
        finally:
            # However it failed: the place of a line that was not opened is the next one's, or there would be none left.
            if line is None:
                self._pass_on(None)

    def _put_back(self, line: Line, *, good: bool) -> None:
        self._lent.pop(line, None)
        self._returned.set()
        keep = good and not self._closed and not line.is_closed()
        if not keep:
            self._drop(line)
        self._pass_on(line if keep else None)

    def _drop(self, line: Line) -> None:
        """Drop a connection and free its place at once; what it still has to tell its server is told beside."""
        if line.is_closed():
            return
        task = asyncio.create_task(_part(line))
        self._parting.add(task)
        task.add_done_callback(self._parting.discard)

    def _pass_on(self, line: Line | None) -> None:
        """Give a connection, or a free place, to whoever has waited longest."""
        while self._waiting:
            if _tell(self._waiting.popleft(), line):
                return
        if line is None:
            self._places -= 1
        else:
            self._free.append((line, time.monotonic()))


def _tell(place: asyncio.Future[Line | None], line: Line | None) -> bool:
    if place.done():
        return False
    place.set_result(line)
    return True


async def _part(line: Line) -> None:
    try:
        await line.close(timeout=FAREWELL)
    except (*faults.UNCONNECTED, asyncio.CancelledError):
        line.terminate()
