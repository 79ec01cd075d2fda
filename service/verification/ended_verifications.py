"""Ended verifications: ids that Telnyx can be asked about without costing anybody a guess.

Made by verification.core; a round of the worker refreshes it, decoys and our probe of Telnyx ask it. Holds Telnyx's
ids, nothing of the numbers, and never a verification for which a code could still be right.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from service.db.engine import Database

# How many are asked about in turn, so that none is asked about again and again.
WANTED = 32
ENOUGH = 8
# Seconds between two reads of the database: usually, and while few are known.
REFRESH_EVERY = 60.0
LOOK_EVERY = 2.0
# How long ago the moments are from which it is looked, and how long one must be over for its code to be good no more.
MOMENTS = [timedelta(minutes=m) for m in (0, 11, 60, 360, 1_440, 10_080)]
OVER_FOR = timedelta(seconds=30)

# Found by the key, which sorts by time, from several moments on: what a flood of decoys hides at one is found at
# another. A locked verification has had all its guesses, and another check would look like a sixth. Telnyx accepts a
# code for 5 s longer than we do, and for a verified one it might still accept that of another channel.
FIND = """
with clock as materialized (select coalesce($1::timestamptz, clock_timestamp()) as now), places as (
    select v.id, v.status, v.expires_at
    from clock, unnest($3::interval[]) as back, lateral (
        select id, status, expires_at from verifications where id < first_id(now - back) order by id desc limit 300
    ) as v
), over as (
    select distinct p.id from places p, clock
    where p.status <> 'locked' and p.expires_at < now - $4::interval
       or p.status = 'verified' and 1 = (select count(*) from sends s where s.verification_id = p.id)
)
select s.provider_id from over join sends s on s.verification_id = over.id
where s.state = 'sent' and s.provider = $5 order by over.id desc limit $2
"""


class Ended:
    """The newest ended verifications that this process knows of."""

    def __init__(self, database: Database, provider: str, now: Callable[[], datetime | None] = lambda: None) -> None:
        """`provider`: the name of the one that is asked; `now`: as in Store."""
        self._provider = provider
        self._pool = database.pool
        self._now = now
        self._ids: deque[str] = deque(maxlen=WANTED)
        self._look_at = 0.0

    async def refresh(self) -> None:
        """Look for newer ones when it is time; those known are kept if none is found."""
        if time.monotonic() < self._look_at:
            return
        found = [row[0] for row in await self._pool.fetch(FIND, self._now(), WANTED, MOMENTS, OVER_FOR, self._provider)]
        self._ids.extendleft(reversed([one for one in found if one not in self._ids]))
        self._look_at = time.monotonic() + (REFRESH_EVERY if len(self._ids) >= ENOUGH else LOOK_EVERY)

    def pick(self) -> str | None:
        """Return one to ask about, each in turn; None if there is none."""
        if not self._ids:
            return None
        # In turn: Telnyx may treat an id differently that is asked about again and again.
        self._ids.rotate(-1)
        return self._ids[-1]
