"""Backtests that operators start: one at a time, in small pieces beside the requests, with progress in the database.

Called by api; any process can tell how far one is. A piece is followed by a pause nine times
as long: a backtest takes a tenth of a core, and never keeps a request waiting for longer than a piece.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from service import telemetry
from service.db.asking import CLOCK, ask
from service.db.calls import JsonText
from service.db.engine import Database
from service.errors import GatewayError, NotFound
from service.operators.backtesting.backtest import Backtest, Changes, RecordedSend
from service.operators.backtesting.backtest_input import read_decisions
from service.policy import loading
from service.vault import new_id

PIECE = 20  # decisions at a time, some milliseconds
PAUSE = 9.0  # times as long as the piece took
NOTE_EVERY = 1.0  # seconds between two notes of the progress
# Without a note for so long, the process that ran it is gone.
SILENT = timedelta(seconds=30)

BEGIN = f"""
with {CLOCK}, begun as (
    insert into backtests (id, key_id, policy, version, since, began_at, seen_at, share)
    select $2, $3, $4, $5, $6::interval, clock.now, clock.now, 0 from clock
    where not exists (
        select from backtests b where b.ended_at is null and b.seen_at > clock.now - $7::interval
    )
    returning id
), noted as (
    insert into audits (at, key_id, action) select clock.now, $3, 'backtest' from begun, clock
)
select id from begun
"""  # noqa: S608 (ours)
NOTE = "update backtests set seen_at = coalesce($1::timestamptz, clock_timestamp()), share = $3 where id = $2"
END = """
update backtests set ended_at = coalesce($1::timestamptz, clock_timestamp()), share = 1, changes = $3::text::jsonb,
    error = $4
where id = $2
"""
SHOWN = """
select b.id, b.key_id, b.policy, b.version, b.since, b.began_at, b.ended_at, b.share, b.changes::text as changes,
       b.error, b.ended_at is null and b.seen_at <= clock.now - $2::interval as interrupted
from backtests b, clock
"""
READ = f"with {CLOCK} {SHOWN} where b.id = $3"
LIST = f"with {CLOCK} {SHOWN} order by b.began_at desc limit $3"


class Running(GatewayError):
    """A backtest is under way; two at once would take twice as much from the requests."""


class BacktestRun(msgspec.Struct, frozen=True):
    """One backtest. `share`: how much is done, 0 to 1; `interrupted`: the process that ran it is gone."""

    id: UUID
    key_id: int
    policy: str
    version: str
    since: timedelta | None
    began_at: datetime
    ended_at: datetime | None
    share: float
    changes: Changes | None
    error: str | None
    interrupted: bool


class Backtests:
    """The backtests of one database, and those that this process runs."""

    def __init__(self, database: Database, now: Callable[[], datetime | None] = lambda: None) -> None:
        """`now`: as in Store."""
        self._database = database
        self._now = now
        # asyncio keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, key_id: int, policy: str, since: timedelta | None) -> UUID:
        """Begin a backtest of a policy file's text, audited. Raises PolicyError, Running."""
        again = Backtest(loading.parse(policy))
        row = new_id()
        begun = await ask(self._database, BEGIN, self._now(), row, key_id, policy, again.changes.policy, since, SILENT)
        if not begun:
            raise Running("A backtest is under way. Wait until it has ended.")
        task = asyncio.create_task(self._run(row, again, since))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return row

    async def read(self, row: UUID) -> BacktestRun:
        """Read one. Raises NotFound, Unavailable."""
        for found in await ask(self._database, READ, self._now(), SILENT, row):
            return _read(found)
        raise NotFound

    async def list(self, most: int) -> Sequence[BacktestRun]:
        """List the newest."""
        return [_read(row) for row in await ask(self._database, LIST, self._now(), SILENT, most)]

    async def stop(self) -> None:
        """End those that run here; they are told of as interrupted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, row: UUID, again: Backtest, since: timedelta | None) -> None:
        noted = time.monotonic()
        try:
            async for page in read_decisions(self._database, since):
                await _add(again, page.rows)
                if time.monotonic() - noted > NOTE_EVERY:
                    noted = time.monotonic()
                    await ask(self._database, NOTE, self._now(), row, page.share)
            changes = JsonText(msgspec.json.encode(again.changes).decode())
            await ask(self._database, END, self._now(), row, changes, None)
        except GatewayError as error:
            telemetry.log.warning("backtest_failed", exc_info=error)
            await ask(self._database, END, self._now(), row, None, "The database did not answer. Start it again.")


async def _add(again: Backtest, rows: Sequence[RecordedSend]) -> None:
    for place in range(0, len(rows), PIECE):
        began = time.monotonic()
        again.add(rows[place : place + PIECE])
        await asyncio.sleep(PAUSE * (time.monotonic() - began))


def _read(row: dict[str, object]) -> BacktestRun:
    changes = row.pop("changes")
    read = msgspec.json.decode(str(changes), type=Changes) if changes else None
    return BacktestRun(**row, changes=read)  # type: ignore[arg-type] # the columns of SHOWN
