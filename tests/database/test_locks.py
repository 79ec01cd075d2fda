"""How many advisory locks one statement takes at most: they share a table of fixed size with every other process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from inspect import signature
from typing import Any
from uuid import UUID, uuid4

import pytest
from asyncpg import Connection

from service.db.batch import Batcher
from service.db.engine import Database
from service.fraud.decision import Decision
from service.fraud.facts import DeviceFacts, Facts
from service.fraud.histories.subjects import subjects_of
from service.fraud.money import Booking
from service.fraud.storage.resolving import Resolution, SendLimit
from service.fraud.storage.store import FraudStore
from service.fraud.storage.weighing import Weighed, Weighing
from service.operators.erasure import AT_ONCE, erase
from service.phone import describe
from service.policy.units import Window
from service.verification.states import MOST_SENDS
from service.verification.storage.rows import Admission, Guess, Settled, Verdict
from service.verification.storage.store import MOST_GUESSES
from tests.support.admission import NOON, VAULT, WIDE, AdmissionHarness, over

# What docs/operations.md counts with.
ONE_STATEMENT = 705
OF_GUESSES = 128
LOCKS = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
FACTS = Facts(describe("+12125550142"), "sms", DeviceFacts("none"), {})
ALLOWED = Decision(allow=True, findings=[], facts=FACTS, policy_version="test")
MOST: int = signature(Batcher).parameters["most"].default


@pytest.fixture
async def alone(database: Database) -> AsyncIterator[tuple[AdmissionHarness, Connection]]:
    """Answer a harness inside one transaction, which can be asked what it holds."""
    joined = AdmissionHarness(database, WIDE)
    await joined.join("shop")
    async with database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        harness = AdmissionHarness(over(connection), WIDE)
        harness.callers = joined.callers
        yield harness, connection
        await transaction.rollback()


def number_of(n: int) -> str:
    """Make a number that shares no range with the others."""
    return f"+1{212 + n}5550142"


def weighing_of(n: int, item: Admission) -> Weighing:
    """Weigh a send that shares nothing with the others, and of which everything is known."""
    number = number_of(n)
    subjects = subjects_of(VAULT, number, describe(number), f"203.0.{n}.9", f"visitor-{n}")
    own = [*subjects[:-4], *subjects[-3:], _another_country(subjects[-4], n)]
    return Weighing(item.id, 1, 1, item.phone_hash, uuid4(), own)


def _another_country(subject: Any, n: int) -> Any:
    return type(subject)(subject.kind, UUID(int=n + 1), subject.mark)


async def test_a_full_batch_of_requests(alone: tuple[AdmissionHarness, Connection]) -> None:
    harness, connection = alone
    items = [
        harness.item(number_of(n), ip=f"203.0.{n}.9", account=str(n), idem=str(n), token=True) for n in range(MOST)
    ]
    answers = await harness.store._admit(items)
    assert {answer.outcome for answer in answers} == {"admitted"}
    assert MOST < await connection.fetchval(LOCKS) <= ONE_STATEMENT


async def test_full_batches_of_guesses(alone: tuple[AdmissionHarness, Connection]) -> None:
    harness, connection = alone
    items = [harness.item(number_of(n), ip=f"203.0.{n}.9", account=str(n), token=True) for n in range(MOST_GUESSES)]
    await harness.store._admit(items)
    before = await connection.fetchval(LOCKS)
    guesses = [Guess(item.id, uuid4(), item.key_id, item.client_id, 1, uuid4(), uuid4()) for item in items]
    assert {one.outcome for one in await harness.store._reserve_some(guesses)} == {"reserved"}
    assert await connection.fetchval(LOCKS) - before == 3 * MOST_GUESSES, "each number's budgets, and its key"
    settled = await harness.store.owed.settle([Verdict(one.guess, "right", 1) for one in guesses])
    assert [isinstance(one, Settled) and one.verified for one in settled] == [True] * MOST_GUESSES
    # The limits of address and account are locked already. A device's, for each of its sends, would come on top.
    assert await connection.fetchval(LOCKS) - before == 3 * MOST_GUESSES
    assert (4 + MOST_SENDS) * MOST_GUESSES == OF_GUESSES


async def test_full_batches_of_decisions_and_of_converted_sends(
    alone: tuple[AdmissionHarness, Connection],
) -> None:
    harness, connection = alone
    fraud_store = FraudStore(harness.database, lambda: harness.now)
    items = [harness.item(number_of(n), ip=f"203.0.{n}.9", token=True) for n in range(MOST)]
    for item in items:
        await harness.store._admit([item])
    weighings = [weighing_of(n, item) for n, item in enumerate(items)]
    before = await connection.fetchval(LOCKS)
    weighed = await fraud_store._weigh(weighings)
    held = await connection.fetchval(LOCKS) - before
    subjects = sum(len(one.subjects) for one in weighings)
    assert held == subjects + MOST <= ONE_STATEMENT, "each send's subjects, and its device event"
    assert all(isinstance(one, Weighed) for one in weighed)
    resolutions = [
        Resolution(
            id=item.id, ordinal=1, goes=True, decision=ALLOWED, strike=uuid4(),
            limits=[SendLimit(f"limit {n}", uuid4(), [Window(5, 60.0)]) for n in range(3)],
            booking=Booking(1, "US", "sms", 0.1, None, 1e9),
        )
        for item in items
    ]  # fmt: skip
    assert [one.allow for one in await fraud_store._resolve(resolutions)] == [True] * MOST
    # It holds what weigh held, and the limits' and strikes' subjects and the budget's besides.
    assert await connection.fetchval(LOCKS) - before == held + 4 * MOST + 1
    assert subjects + 4 * MOST + 1 <= ONE_STATEMENT
    await fraud_store._credit([item.id for item in items])
    assert await connection.fetchval(LOCKS) - before == held + 4 * MOST + 1, "credit holds what weigh held"


async def test_a_number_of_however_many_verifications_is_forgotten_in_bounded_steps(database: Database) -> None:
    harness = AdmissionHarness(database, WIDE)
    await harness.join("shop")
    fraud_store, number, count = FraudStore(database, lambda: NOON), number_of(0), 2 * AT_ONCE + 3
    for n in range(count):
        item = harness.item(number, ip=f"203.0.{n}.9")
        await harness.store.admit(item)
        places = subjects_of(VAULT, number, describe(number), f"203.0.{n}.9")
        await fraud_store._weigh([Weighing(item.id, 1, 1, item.phone_hash, None, places)])
        await fraud_store._resolve([Resolution(id=item.id, ordinal=1, goes=True, decision=ALLOWED)])
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("savepoint before")
        rows = await connection.fetch(
            "select * from forget_v3(null, $1, '{}', '{}', '{}', $2)", VAULT.hash(b"phone", number), AT_ONCE
        )
        assert len(rows) == AT_ONCE
        assert await connection.fetchval(LOCKS) <= ONE_STATEMENT
        await connection.execute("rollback to savepoint before")
    assert await erase(database, VAULT, number) == count
    left = "select count(*) from verifications where phone_hash = $1"
    assert await database.pool.fetchval(left, VAULT.hash(b"phone", number)) == 0
    assert await database.pool.fetchval("select count(*) from sends where weighed is not null") == 0
