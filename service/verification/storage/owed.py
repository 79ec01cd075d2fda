"""What the database is owed after a reply: what was answered 503 is taken back, what was answered 202 is released.

Made by store; filled by store, admission and actions. Nobody waits for it, and the database is told until it confirms.
What a killed process still owes is safe: its callers got no reply, and nothing of theirs is claimed before its lease is
over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from service import telemetry
from service.db.outbox import Outbox
from service.db.pool import Pool
from service.errors import Unavailable
from service.verification.states import LEASE
from service.verification.storage import statements as sql
from service.verification.storage.limit_windows import Written
from service.verification.storage.rows import Admission, HeldRow, Settled, Verdict

DatabaseClock = Callable[[], datetime | None]
# Seconds that what is owed may take at the end. Leases are over by then: others do what this process has promised.
SETTLE_LIMIT = LEASE
# Rows released in one statement, while requests come faster than they are sent.
MOST_FREED = 256


class Owed:
    """What one process owes. `limits`: those of guesses, at the places that verdicts name."""

    def __init__(self, pool: Pool, now: DatabaseClock, limits: Written) -> None:
        self._pool = pool
        self._now = now
        self._limits = limits
        self.requests = Outbox(self._withdraw)
        self.rows = Outbox(self._release, MOST_FREED)
        self.fallbacks_to_release = Outbox(self._release_fallbacks)
        self.fallbacks_to_withdraw = Outbox(self._withdraw_fallbacks)
        self.guesses = Outbox(self._withdraw_guesses)
        self.results = Outbox(self._settle)

    async def aclose(self) -> None:
        """Settle up before the connections close. What is owed still is said, and safe: see above."""
        if not await self.settle_up(SETTLE_LIMIT):
            telemetry.log.error("not_settled_up")

    async def settle_up(self, limit: float) -> bool:
        """Wait until everything is confirmed, `limit` seconds at most; return whether it is."""
        end = asyncio.get_running_loop().time() + limit
        boxes = (self.requests, self.rows, self.fallbacks_to_release, self.fallbacks_to_withdraw, self.guesses)
        done = all(await asyncio.gather(*(box.drain(limit) for box in boxes)))
        # After the guesses: each that is taken back becomes a verdict, and one that is lost counts as a wrong code.
        return await self.results.drain(max(0.0, end - asyncio.get_running_loop().time())) and done

    async def settle(
        self, verdicts: Sequence[Verdict], *, wait: bool = False
    ) -> list[Settled | Literal["held"] | None]:
        """Settle guesses; None for one that does not exist.

        "held" if somebody has locked its verification's row: with `wait`, that is waited for.
        """
        rows = await self._pool.fetch(*sql.SETTLE(now=self._now(), wait=wait, limits=self._limits, items=verdicts))
        settled = dict.fromkeys(range(1, len(verdicts) + 1))
        for item, held, *told in rows:
            settled[item] = "held" if held else Settled(*told)
        return list(settled.values())

    async def _withdraw(self, items: Sequence[Admission]) -> Sequence[Admission]:
        """Take requests back, with what they counted. None of them can be committed later."""
        rows = await self._pool.fetch(*sql.WITHDRAW(
            now=self._now(), ids=[item.id for item in items], tokens=[item.token for item in items],
            calls=[item.call for item in items], idems=[item.idem for item in items],
            accounts=[item.account_limit for item in items],
        ))  # fmt: skip
        for row in rows:
            if row["late"]:
                _complain(row["id"])
        # Those that are not returned may still be running: told again, until each is over.
        done = {row["id"] for row in rows}
        return [item for item in items if item.id not in done]

    async def _release(self, rows: Sequence[HeldRow]) -> Sequence[HeldRow]:
        """Release rows that were admitted and not begun, now that their admission is confirmed."""
        await self._pool.execute(sql.RELEASE, self._now(), [row.id for row in rows], [row.token for row in rows])
        # Once each, however many rows: they wake the same worker.
        for then in {row.then for row in rows}:
            then()
        return []

    async def _release_fallbacks(self, fallbacks: Sequence[HeldRow]) -> Sequence[HeldRow]:
        """Make fallbacks due whose callers are being answered."""
        for place, held in enumerate(fallbacks):
            try:
                await self._pool.execute(*sql.RELEASE_FALLBACK(now=self._now(), id=held.id, fallback=held.token))
            except Unavailable:
                return fallbacks[place:]
            held.then()
        return []

    async def _withdraw_fallbacks(self, fallbacks: Sequence[HeldRow]) -> Sequence[HeldRow]:
        for place, held in enumerate(fallbacks):
            try:
                row = await self._pool.fetchrow(
                    *sql.WITHDRAW_FALLBACK(now=self._now(), id=held.id, fallback=held.token)
                )
            except Unavailable:
                return fallbacks[place:]
            if row is not None and not row[0]:
                _complain(held.id)
        return []

    async def _withdraw_guesses(self, guesses: Sequence[tuple[UUID, Verdict]]) -> Sequence[tuple[UUID, Verdict]]:
        """Give back guesses that were perhaps reserved but never sent to the provider. None can be committed later."""
        for place, (row, verdict) in enumerate(guesses):
            try:
                await self._pool.execute(*sql.TAKE_BACK(row=row, id=verdict.guess))
            except Unavailable:
                return guesses[place:]
            # Only now: given back before its id is withdrawn, a reservation that comes late would stay counted.
            self.results.put(verdict)
        return []

    async def _settle(self, verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
        for place, verdict in enumerate(verdicts):
            try:
                await self.settle([verdict], wait=True)
            except Unavailable:
                return verdicts[place:]
        return []


def _complain(row: UUID) -> None:
    """Log that something went out though its caller was answered 503: we were away for longer than the lease."""
    telemetry.log.error("withdrawn_too_late", verification=str(row))
