"""Every hot statement may meet every other: none deadlocks, and what they count stays true."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from uuid import UUID

from service.clients.caller import Caller
from service.db.engine import open_database
from tests.support.admission import AdmissionHarness, open_desk
from tests.support.storm import POLICY, Storm

# Seconds; STORM makes it longer for whoever hunts.
LENGTH = float(os.environ.get("STORM", "6"))
PROCESSES = 12
MISCOUNTED = """
select v.id, v.guesses_open, v.guesses_wrong, count(g.id) filter (where g.state = 'open') as open,
       count(g.id) filter (where g.state = 'wrong') as wrong
from verifications v left join guesses g on g.verification_id = v.id
group by v.id
having v.guesses_open <> count(g.id) filter (where g.state = 'open')
    or v.guesses_wrong <> count(g.id) filter (where g.state = 'wrong')
    or v.guesses_open < 0 or v.guesses_open + v.guesses_wrong > 5
"""
UNORDERED = "select subject from counters where hits <> array(select h from unnest(hits) h order by h desc)"
TOO_MANY = "select count(*) from counters where hits[$1] - hits[$2] < $3 and subject = any ($4)"
SUBJECTS = "select array_agg(distinct phone_limit), array_agg(distinct ip_limit) from verifications"
LOST_ROWS = """
select id from verifications v
where (select count(*) from sends s where s.verification_id = v.id) not between 1 and 3
   or (status <> 'pending' and sealed is not null) or (lease_token is null) <> (lease_until is null)
"""
TWO_ROWS = (
    "select idem from idempotency_keys k left join verifications v on v.id = k.verification_id where v.id is null"
)


# A batch that was ended by a deadlock is tried again item by item: only the server's own count shows it.
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"
OTHERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


async def _rage(database_url: str, callers: dict[str, Caller]) -> int:
    """Let each process do all it can over two pools, and answer how much the laziest one did."""
    async with open_desk(database_url, callers, POLICY) as one, open_desk(database_url, callers, POLICY) as other:
        known: list[tuple[str, UUID]] = []
        held: list[str] = []
        desks = [AdmissionHarness(harness.database, POLICY, None) for harness in [one, other] * (PROCESSES // 2)]
        for harness in desks:
            harness.callers = callers
        storms = [Storm(harness, seed, known, held) for seed, harness in enumerate(desks)]
        end = asyncio.get_running_loop().time() + LENGTH
        await asyncio.gather(*(storm.rage(end) for storm in storms))
        return min(storm.done for storm in storms)


async def test_nothing_deadlocks_and_every_count_is_true_after_a_storm(database_url: str) -> None:
    database = await open_database(database_url, pool_size=1)
    keeper = AdmissionHarness(database, POLICY, None)
    await keeper.join("shop", "bank")
    await database.engine.dispose()
    assert await _rage(database_url, keeper.callers) > 5
    fetch, fetchval = database.pool.fetch, database.pool.fetchval
    while await fetchval(OTHERS):  # they say what they counted when they end
        await asyncio.sleep(0.05)
    assert await fetchval(DEADLOCKS) == 0
    assert await fetch(MISCOUNTED) == []
    assert await fetch(UNORDERED) == []
    assert await fetch(LOST_ROWS) == []
    assert await fetch(TWO_ROWS) == []
    [[numbers, addresses]] = await fetch(SUBJECTS)
    for subjects, most, seconds in [(numbers, 20, 1), (numbers, 30, 2), (addresses, 25, 1), (addresses, 60, 3)]:
        for newest in range(1, 61 - most):
            window = timedelta(seconds=seconds)
            assert await fetchval(TOO_MANY, newest, newest + most, window, subjects) == 0
    await database.aclose()
