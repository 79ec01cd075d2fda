"""The statements on a send that is decided, bound to one database and one clock, and micro-batched.

Called by fraud.judge and fraud.gathering. What comes while one call is under way goes together in the next; nothing is
held across a call to the outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from service.db.batch import AT_ONCE, Batcher, Tick
from service.db.calls import FunctionCall
from service.db.engine import Database
from service.fraud.decision import Decision
from service.fraud.storage.resolving import Resolution, SendLimit, resolve
from service.fraud.storage.weighing import Weighed, Weighing, weigh
from service.phone import NumberKind

KEEP_LINE = """
insert into lookups (phone_hash, kind, until)
select phone_hash, kind, coalesce($1::timestamptz, clock_timestamp()) + make_interval(secs => seconds)
from unnest($2::uuid[], $3::text[], $4::float8[]) as k(phone_hash, kind, seconds) order by phone_hash
on conflict (phone_hash) do update set kind = excluded.kind, until = excluded.until
"""
IS_SPENT = """
select w.item from unnest($2::int[], $3::uuid[], $4::int[], $5::float8[]) as w(item, subject, max, seconds)
join counters c on c.subject = w.subject
where c.hits[w.max] > coalesce($1::timestamptz, clock_timestamp()) - make_interval(secs => w.seconds)
"""
# A token's verdict serves two numbers: the one that was mistyped, and its correction.
KEEP_VERDICT = """
insert into captcha_verdicts as k (token, verdict, phone_hashes, at)
select token, verdict, array[phone_hash], coalesce($1::timestamptz, clock_timestamp())
from unnest($2::uuid[], $3::text[], $4::uuid[]) as v(token, verdict, phone_hash) order by token
on conflict (token) do update set verdict = excluded.verdict, at = excluded.at, phone_hashes = case
    when excluded.phone_hashes <@ k.phone_hashes then k.phone_hashes else k.phone_hashes || excluded.phone_hashes
end
"""
USE_VERDICT = """
update captcha_verdicts set phone_hashes = case
    when $3 = any (phone_hashes) then phone_hashes else phone_hashes || $3::uuid
end
where token = $2 and at > coalesce($1::timestamptz, clock_timestamp()) - make_interval(secs => $4)
  and ($3 = any (phone_hashes) or cardinality(phone_hashes) < $5)
returning verdict
"""
CREDIT = FunctionCall("credit", now=datetime, ids=list[UUID])
# Nobody waits for a decision, so calls wait for more items: however few come, they share what a call costs. Nothing can
# hang on a credit before the next code is asked for.
DECISIONS, CREDITS = Tick(0.025, 0.045), Tick(0.1, 0.2)


class KeptLineType(msgspec.Struct, frozen=True):
    """A number's line type. `seconds`: how long it is kept."""

    phone_hash: UUID
    kind: NumberKind
    seconds: float


class TokenVerdict(msgspec.Struct, frozen=True):
    """What a captcha's provider said of a token, given as a hash, when it was brought for a number."""

    token: UUID
    verdict: str
    phone_hash: UUID


class FraudStore:
    """The statements, bound to one database and one clock."""

    def __init__(
        self, database: Database, now: Callable[[], datetime | None] = lambda: None, *, ticks: bool = True
    ) -> None:
        """Without `ticks` no call waits for more items."""
        self._pool = database.pool
        self._now = now
        decisions, credits_ = (DECISIONS, CREDITS) if ticks else (AT_ONCE, AT_ONCE)
        self.weigh = Batcher(self._weigh, tick=decisions).submit
        # What was weighed together is resolved together, without waiting.
        self.resolve = Batcher(self._resolve).submit
        # What needs no weighing waits as long as what does: how soon a process is busy must not tell them apart.
        self.resolve_unweighed = Batcher(self._resolve, tick=decisions).submit
        self.credit = Batcher(self._credit, tick=credits_).submit
        self.keep_line = Batcher(self._keep_line).submit
        self.is_spent = Batcher(self._is_spent).submit
        self.keep_verdict = Batcher(self._keep_verdict).submit

    async def use_verdict(self, token: UUID, phone_hash: UUID, seconds: float, numbers: int) -> str | None:
        """Take a number's place in a token's verdict; None if it has none, or no place. Raises Unavailable."""
        found: str | None = await self._pool.fetchval(USE_VERDICT, self._now(), token, phone_hash, seconds, numbers)
        return found

    async def _weigh(self, items: Sequence[Weighing]) -> list[Weighed | Decision]:
        return await weigh(self._pool, self._now(), items)

    async def _resolve(self, items: Sequence[Resolution]) -> list[Decision]:
        return await resolve(self._pool, self._now(), items)

    async def _credit(self, rows: Sequence[UUID]) -> list[None]:
        await self._pool.execute(*CREDIT(now=self._now(), ids=list(rows)))
        return [None] * len(rows)

    async def _keep_line(self, lines: Sequence[KeptLineType]) -> list[None]:
        newest = {line.phone_hash: (line.phone_hash, line.kind, line.seconds) for line in lines}
        await self._pool.execute(KEEP_LINE, self._now(), *_columns(list(newest.values()), 3))
        return [None] * len(lines)

    async def _keep_verdict(self, verdicts: Sequence[TokenVerdict]) -> list[None]:
        newest = {one.token: (one.token, one.verdict, one.phone_hash) for one in verdicts}
        await self._pool.execute(KEEP_VERDICT, self._now(), *_columns(list(newest.values()), 3))
        return [None] * len(verdicts)

    async def _is_spent(self, limits: Sequence[SendLimit]) -> list[bool]:
        lines = [(n, limit.subject, w.max, w.seconds) for n, limit in enumerate(limits, 1) for w in limit.windows]
        rows = await self._pool.fetch(IS_SPENT, self._now(), *_columns(lines, 4))
        spent = {row[0] for row in rows}
        return [n in spent for n in range(1, len(limits) + 1)]


def _columns(lines: Sequence[tuple[object, ...]], width: int) -> list[list[object] | None]:
    return [list(column) for column in zip(*lines, strict=True)] if lines else [None] * width
