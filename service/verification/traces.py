"""One trace for a verification, from its request over its sends to webhooks and checks, in whatever process they are.

Used by api, admission and sends. Keeps places in traces, which are ids without meaning, in memory and in the table
`traces`. What it cannot keep or find is a gap in a trace, and never anybody's error.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any
from uuid import UUID

from service import telemetry, tracing
from service.db.batch import Batcher
from service.db.engine import Database
from service.errors import Unavailable
from service.providers.verify.protocol import DeliveryEvent

# How many places a process remembers, and how many tasks of this kind it has at most.
REMEMBERED = 10_000
AT_ONCE = 1_000
# A webhook can come before its send is recorded: seconds between the looks for it.
LOOKS = (0.0, 0.5, 1.0, 3.0, 10.0)

NOTHING: AbstractAsyncContextManager[None] = nullcontext()
KEEP = """
insert into traces (verification_id, place, at)
select t.id, t.place, clock_timestamp() from unnest($1::uuid[], $2::bytea[]) as t(id, place) order by t.id
on conflict do nothing
"""
FIND = "select place from traces where verification_id = $1"
FIND_SENT = """
select t.place from sends s join traces t on t.verification_id = s.verification_id
where s.provider_id = $1 and s.provider = $2
"""

Kept = tuple[UUID, tracing.Place]


class Traces:
    """The places of one database's verifications."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool
        self._known: OrderedDict[UUID, tracing.Place] = OrderedDict()
        self._keep = Batcher(self._insert).submit
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, row: UUID) -> None:
        """Keep where this is as the place of a verification that was just requested."""
        if (place := tracing.find_place()) is not None:
            self._remember(row, place)
            self._run(self._store((row, place)))

    def join(self, name: str, row: UUID, **noted: Any) -> AbstractAsyncContextManager[None]:
        """Make a span in a verification's trace, or where this is if it has none."""
        return self._join(name, row, noted) if tracing.is_on() else NOTHING

    @asynccontextmanager
    async def _join(self, name: str, row: UUID, noted: Mapping[str, Any]) -> AsyncIterator[None]:
        place = await self._find(row)
        with tracing.span(name, place, verification_id=str(row), **noted):
            yield

    def tell(self, event: DeliveryEvent) -> None:
        """Make a span of a webhook in the trace of the send that it is about, once that is known."""
        if tracing.is_on():
            self._run(self._tell(event))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= AT_ONCE:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            telemetry.log.warning("trace_lost", exc_info=error)

    async def _tell(self, event: DeliveryEvent) -> None:
        for pause in LOOKS:
            await asyncio.sleep(pause)
            place = await self._pool.fetchval(FIND_SENT, event.provider_id, event.provider)
            if place is not None:
                with tracing.span("webhook", place, provider=event.provider, delivery=event.delivery):
                    return

    async def _find(self, row: UUID) -> tracing.Place | None:
        if (known := self._known.get(row)) is not None:
            return known
        try:
            place: tracing.Place | None = await self._pool.fetchval(FIND, row)
        except Unavailable:
            return None
        if place is not None:
            self._remember(row, place)
        return place

    def _remember(self, row: UUID, place: tracing.Place) -> None:
        self._known[row] = place
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def _store(self, kept: Kept) -> None:
        await self._keep(kept)

    async def _insert(self, kept: Sequence[Kept]) -> list[None]:
        await self._pool.execute(KEEP, [row for row, _ in kept], [place for _, place in kept])
        return [None] * len(kept)
