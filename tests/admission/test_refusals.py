"""What is refused or replayed counts nowhere, writes nothing and holds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asyncpg import Connection

from service.db.engine import Database
from service.verification.storage.rows import Admission
from tests.support.admission import AdmissionHarness, over
from tests.support.gateway import OTHER_PHONE, PHONE

POLICY = """
[limits]
phone = ["3/10m"]
ip = ["5/10m"]
account = ["2/10m"]
[lockout]
codes_per_phone = "4/24h"
codes_per_phone_total = "5/24h"
"""
TABLES = ("counters", "verifications", "sends", "idempotency_keys")
SPEND = "insert into counters (subject, hits) select $1, array_agg($2::timestamptz) from generate_series(1, $3)"
LOCKS = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
OTHER_IP = "198.51.100.7"


@pytest.fixture
async def harness(database: Database) -> AdmissionHarness:
    """Answer a harness at which a number, an address, an account, a key and two budgets have been spent."""
    harness = AdmissionHarness(database, POLICY)
    await harness.join("shop", "gone")
    for _ in range(3):
        await harness.admit(PHONE, ip="192.0.2.1")
    for number in range(5):
        await harness.admit(f"+1312555{number:04}", ip="192.0.2.2")
    for _ in range(2):
        await harness.admit(OTHER_PHONE, ip="192.0.2.3", account="a")
    await harness.admit("+13125551111", ip="192.0.2.4", idem="key", body="one")
    await database.pool.execute("update api_keys set revoked_at = now() where id = $1", harness.callers["gone"].key_id)
    await database.pool.execute(SPEND, harness.item("+13125552222", ip="192.0.2.5").source_budget, harness.now, 4)
    await database.pool.execute(SPEND, harness.item("+13125553333").total_budget, harness.now, 5)
    return harness


def refusals(harness: AdmissionHarness) -> dict[str, Admission]:
    """Make one request for every way not to be admitted."""
    return {
        "number": harness.item(PHONE, ip=OTHER_IP, account="b", idem="other"),
        "address": harness.item("+13125554444", ip="192.0.2.2", account="b"),
        "account": harness.item("+13125554444", ip=OTHER_IP, account="a"),
        "wrong codes of the source": harness.item("+13125552222", ip="192.0.2.5"),
        "wrong codes of the number": harness.item("+13125553333", ip=OTHER_IP, account="b"),
        "replay": harness.item("+13125551111", ip="192.0.2.4", idem="key", body="one"),
        "other body": harness.item("+13125554444", ip=OTHER_IP, idem="key", body="two"),
        "revoked key": harness.item("+13125554444", ip=OTHER_IP, client="gone"),
        "unknown key": harness.item("+13125554444", ip=OTHER_IP, key_id=10**6),
    }


@pytest.fixture
async def alone(harness: AdmissionHarness) -> AsyncIterator[tuple[AdmissionHarness, Connection]]:
    """Answer a harness inside one transaction, which can be asked what it has done."""
    async with harness.database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        inside = AdmissionHarness(over(connection), POLICY)
        inside.callers = harness.callers
        yield inside, connection
        await transaction.rollback()


async def _everything(harness: AdmissionHarness) -> list[Any]:
    return [await harness.rows(f"(select ctid, xmin::text, t.* from {table} t) as all_of_it") for table in TABLES]


async def test_each_way_to_be_refused_leaves_every_row_as_it_was(harness: AdmissionHarness) -> None:
    before = await _everything(harness)
    for way, item in refusals(harness).items():
        answer = await harness.store.admit(item)
        assert answer.outcome in ("limited", "replayed", "mismatch", "unauthorized"), way
        assert (answer.wait or 0) > 0 or answer.outcome != "limited"
    assert await _everything(harness) == before


@pytest.mark.parametrize("size", [1, 64])
async def test_a_flood_of_refused_requests_has_no_transaction_id_and_takes_no_lock(
    alone: tuple[AdmissionHarness, Connection], size: int
) -> None:
    harness, connection = alone
    for way, item in refusals(harness).items():
        await harness.store._admit([item] * size, again=False)
        assert await connection.fetchval("select pg_current_xact_id_if_assigned()") is None, way
        assert await connection.fetchval(LOCKS) == 0, way


async def test_what_was_refused_can_be_asked_again_at_once_from_elsewhere(harness: AdmissionHarness) -> None:
    for _ in range(20):
        assert (await harness.admit(PHONE, ip=OTHER_IP, account="b")).outcome == "limited"
    for number in ("+13125556661", "+13125556662"):
        assert (await harness.admit(number, ip=OTHER_IP, account="b")).outcome == "admitted"


async def test_a_refused_request_does_not_spend_its_idempotency_key(harness: AdmissionHarness) -> None:
    assert (await harness.admit(PHONE, ip=OTHER_IP, idem="fresh", body="one")).outcome == "limited"
    harness.wait(600)
    assert (await harness.admit(PHONE, ip=OTHER_IP, idem="fresh", body="two")).outcome == "admitted"
