"""How long a fallback keeps a code good, a block lasts and a source is known are the policy's to say."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from service.db.engine import Database
from service.fraud.histories.subjects import Subject
from service.fraud.storage.resolving import Resolution, RuleBlock
from service.fraud.storage.store import FraudStore
from service.fraud.storage.weighing import Weighing
from service.vault import new_id
from tests.fraud.test_pumping import pump
from tests.support.admission import NOON, WIDE, AdmissionHarness
from tests.support.fraud import begin_send, decide, enforced, run_guarded
from tests.support.leasing import open_queue

LENGTH = "select extract(epoch from expires_at - created_at)::float8 from verifications"
LASTED = "select level, extract(epoch from until - began_at)::float8 as seconds from blocks order by id"
SETTLED = "select until - $1 as known_for from known_sources"


def fallback_policy(extends_to: str, longest: str) -> str:
    return f'[fallback]\nextends_to = "{extends_to}"\n[verification]\nlongest = "{longest}"\n'


@pytest.mark.parametrize(
    ("extends_to", "longest", "at", "expires"),
    [("4m", "7m", 40.0, 300.0), ("4m", "7m", 100.0, 340.0), ("4m", "7m", 200.0, 420.0), ("4m", "1m", 200.0, 300.0)],
    ids=["it was good for longer", "extended", "up to the longest", "never shortened"],
)
async def test_a_fallback_extends_a_verification_as_far_as_the_policy_lets_it(
    database: Database, extends_to: str, longest: str, at: float, expires: float
) -> None:
    queue = await open_queue(database, fallback_policy(extends_to, longest))
    token = uuid4()
    row = await queue.admit(token)
    await queue.record(row, token)
    queue.wait(at)
    assert await queue.use_fallback(row) == "used"
    assert await database.pool.fetchval(LENGTH) == expires


async def test_a_source_is_known_for_as_long_as_the_policy_says(database: Database) -> None:
    harness = AdmissionHarness(database, WIDE + '[lockout]\nsources_known_for = "7d"\n')
    await harness.join("shop")
    item, guess = harness.item(), new_id()
    await harness.store.admit(item)
    caller = harness.callers["shop"]
    assert (await harness.store.reserve(caller, item.id, guess)).outcome == "reserved"
    assert (await harness.store.settle(guess, "right", caller.policy)).verified
    assert [row[0] for row in await database.pool.fetch(SETTLED, NOON)] == [timedelta(days=7)]


async def test_blocks_double_from_the_first_to_the_longest(database: Database) -> None:
    fraud_store, subject = FraudStore(database), Subject("ip", uuid4(), 1)
    lasted: list[tuple[int, float]] = []
    for _ in range(4):
        row = await begin_send(database)
        await fraud_store.weigh(Weighing(row, 1, 1, row, None, [subject]))
        order = RuleBlock(subject.hash, "ip", "address", "evidence 9.0", first=60.0, longest=150.0)
        await fraud_store.resolve(Resolution(row, 1, goes=False, decision=decide(allow=False), blocks=[order]))
        await database.pool.execute("update sends set state = 'abandoned' where verification_id = $1", row)
        lasted.append(tuple((await database.pool.fetch(LASTED))[-1]))
        await database.pool.execute("update blocks set until = clock_timestamp()")
    assert lasted == [(0, 60.0), (1, 120.0), (2, 150.0), (2, 150.0)]


async def test_a_rule_raises_blocks_as_long_as_the_policy_says(database_url: str) -> None:
    async with run_guarded(database_url, '[blocks]\nfirst = "45s"\nlongest = "45s"\n') as gateway:
        begun = await pump(gateway, 12)
        assert "block" in await enforced(gateway, begun[-1])
        assert {row["seconds"] for row in await gateway.database.pool.fetch(LASTED)} == {45.0}
