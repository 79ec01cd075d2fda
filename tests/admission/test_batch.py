"""A batch is decided as if its items had come one by one, in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from asyncpg import Connection
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from service.db.engine import Database
from service.verification.storage.rows import Admission, Admitted
from tests.support.admission import NOON, AdmissionHarness, over

POLICY = """
[limits]
phone = ["2/10m", "3/1h"]
ip = ["4/10m"]
account = ["2/1h"]
[lockout]
codes_per_phone = "3/1h"
codes_per_phone_total = "4/1h"
[clients.strict.limits]
phone = ["1/1h"]
ip = ["2/10m"]
[clients.lenient]
ip_required = false
[clients.lenient.limits]
ip = ["6/1h"]
account = []
"""
PHONES = ("+13125550142", "+13125550143", "+13125550144")
SPENT = "insert into counters (subject, hits) values ($1, $2) on conflict do nothing"
BEGUN = """
insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at)
values (gen_random_uuid(), 1, $1, 'sms', 'request', 'begun', $2, $2, $2)
"""

REVOKED = """
insert into api_keys (client_id, digest, hint, scope, revoked_at)
select min(id), 'x', 'x', 'verify', now() from clients
"""
KEYS = {"revoked": 4, "unknown": 10**6}

asks = st.fixed_dictionaries(
    {
        "phone": st.sampled_from(PHONES),
        "client": st.sampled_from(["shop", "strict", "lenient"]),
        "ip": st.sampled_from(["192.0.2.1", "192.0.2.2", None]),
        "account": st.sampled_from(["a", "b", None]),
        "idem": st.sampled_from([None, None, "k1", "k2"]),
        "body": st.sampled_from(["one", "one", "other"]),
        "token": st.booleans(),
    }
)
key = st.sampled_from(["good", "good", "good", "good", "revoked", "unknown"])
batches = st.lists(st.tuples(asks, key), min_size=1, max_size=16)
pasts = st.lists(st.tuples(st.integers(0, 5400), asks), max_size=6)
wrong_codes = st.lists(st.tuples(asks, st.lists(st.integers(0, 4000), min_size=1, max_size=5)), max_size=3)
in_flight = st.sets(st.sampled_from(PHONES), max_size=1)


class Case(msgspec.Struct):
    """What stood before, and the batch."""

    history: list[tuple[int, Admission]]
    wrong: list[tuple[Any, list[int]]]
    in_flight: set[str]
    batch: list[Admission]


async def _set_the_stage(harness: AdmissionHarness, connection: Connection, case: Case) -> None:
    for ago, item in sorted(case.history, key=lambda entry: -entry[0]):
        harness.now = NOON - timedelta(seconds=ago)
        await harness.store._admit([item], again=False)
    harness.now = NOON
    for ask, agos in case.wrong:
        item, hits = harness.item(**ask), [NOON - timedelta(seconds=ago) for ago in sorted(agos)]
        await connection.executemany(SPENT, [(item.source_budget, hits), (item.total_budget, hits)])
    for phone in case.in_flight:
        await connection.execute("update sends set state = 'sent' where state = 'begun'")
        await connection.execute(BEGUN, harness.item(phone).phone_hash, NOON)


async def _run(harness: AdmissionHarness, connection: Connection, case: Case, size: int) -> tuple[list[Admitted], Any]:
    """Admit the batch in calls of `size` items, say what came of it, and undo it all."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await _set_the_stage(harness, connection, case)
        results: list[Admitted] = []
        for first in range(0, len(case.batch), size):
            results += await harness.store._admit(case.batch[first : first + size], again=False)
        ids = {item.id for item in case.batch}
        verifications = [row for row in await harness.rows("verifications") if row["id"] in ids]
        sends = [row for row in await harness.rows("sends") if row["verification_id"] in ids]
        keys = [tuple(row) for row in await harness.rows("idempotency_keys") if row["verification_id"] in ids]
        counters = await harness.rows("counters")
        return results, (verifications, sends, keys, counters)
    finally:
        await transaction.rollback()


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[tuple[AdmissionHarness, Connection]]:
    """Answer a harness over one connection, whose clients have keys, and a key that was revoked."""
    keeper = AdmissionHarness(database, POLICY)
    await keeper.join("shop", "strict", "lenient")
    await database.pool.execute(REVOKED)
    async with database.pool.acquire() as connection:
        harness = AdmissionHarness(over(connection), POLICY)
        harness.callers = keeper.callers
        yield harness, connection


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(batch=batches, history=pasts, wrong=wrong_codes, begun=in_flight)
async def test_a_batch_ends_as_its_items_would_one_by_one(
    stage: tuple[AdmissionHarness, Connection], batch: list[Any], history: Any, wrong: Any, begun: set[str]
) -> None:
    harness, connection = stage
    before = [(ago, harness.item(**ask)) for ago, ask in history]
    case = Case(
        before,
        wrong,
        begun,
        [harness.item(**ask | ({"key_id": KEYS[key]} if key in KEYS else {})) for ask, key in batch],
    )
    together, after_together = await _run(harness, connection, case, len(batch))
    singly, after_singly = await _run(harness, connection, case, 1)
    for result in together:
        event(result.outcome)
    assert together == singly
    assert after_together == after_singly
