"""A send is weighed, resolved and booked once, whoever dies in the middle and whichever answers are lost."""

from __future__ import annotations

import asyncio
import signal
from typing import Any
from uuid import UUID

import pytest

from service import phone
from service.db.engine import Database
from service.fraud.histories.subjects import Subject, subjects_of
from service.fraud.money import Booking
from service.fraud.storage.resolving import Resolution, RuleBlock, SendLimit
from service.fraud.storage.store import FraudStore
from service.fraud.storage.weighing import Weighing
from service.policy.units import Window
from service.sandbox.faults import Fault, Operation
from tests.support.admission import VAULT
from tests.support.dispatching import acted_on, crash, end_lease, ended
from tests.support.fraud import FINGERPRINT_KEY, begin_send, decide, enforced, mint
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Gateway, read_code, run_gateway, run_process
from tests.support.tcp_proxy import Moment, lay_cable
from tests.support.waiting import until

PRICES = "[prices.countries]\nUS = { sms = 0.25 }\n"
# The last place in each limit that is counted with a decision.
ONE_PLACE = f'{POLICY}phone_everywhere = ["1/1h"]\ndevice = ["1/24h"]\n[lookup]\nmode = "on"\n{PRICES}'
VISITOR = "Ibk1527CUFmcnjLwIs4A9"
ONE = (1, 0.25, 0, 0)


async def counted(gateway: Gateway, phone_number: str = PHONE) -> dict[str, Any]:
    """Read everything that one send leaves behind: histories, ledger, and the limit over all clients."""
    pool = gateway.database.pool
    places = [place.hash for place in subjects_of(VAULT, phone_number, phone.describe(phone_number), None)]
    histories = await pool.fetch(
        # (they fade)
        "select round(day_sends), round(long_sends), cardinality(ats) from histories where subject = any ($1)",
        places,
    )
    ledger = await pool.fetch("select sends, spent, stopped, saved from ledger")
    everywhere = VAULT.hash(b"limit.every", phone_number)
    hits = await pool.fetchval("select cardinality(hits) from counters where subject = $1", everywhere)
    return {"histories": {tuple(row) for row in histories}, "ledger": [tuple(row) for row in ledger], "hits": hits}


ONCE = {"histories": {(1.0, 1.0, 1)}, "ledger": [ONE], "hits": 1}


@pytest.mark.parametrize("amid", ["carrier", "send"], ids=["weighed and not resolved", "resolved and not recorded"])
async def test_a_killed_process_leaves_a_send_that_is_made_and_counted_once(database_url: str, amid: Operation) -> None:
    async with run_gateway(database_url, policy=ONE_PLACE, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
        gateway.stage.faults.add(Fault(kind="hang_before", operations=(amid,), times=1))
        async with run_process(gateway) as doomed:
            event = await mint(gateway, visitor_id=VISITOR)
            verification = await doomed.calls.begin(device_event_id=event)
            await until(lambda: bool(gateway.stage.journal.list_calls(amid)), f"it waits for an answer to {amid}")
            doomed.process.send_signal(signal.SIGKILL)
            await doomed.process.wait()
        await end_lease(gateway, verification)
        [send] = await ended(gateway, verification)
        assert (send["state"], send["provider"], len(acted_on(gateway, PHONE))) == ("sent", "telnyx", 1)
        assert await counted(gateway) == ONCE
        second = await gateway.begin(OTHER_PHONE, device_event_id=await mint(gateway, visitor_id=VISITOR))
        assert await enforced(gateway, second) == {"device"}
        assert await enforced(gateway, await gateway.begin(PHONE)) == {"phone_everywhere"}


@pytest.mark.parametrize("moment", ["during", "after"])
async def test_a_lost_commit_of_any_step_counts_nothing_twice(
    database_url: str, database: Database, moment: Moment
) -> None:
    places = subjects_of(VAULT, PHONE, phone.describe(PHONE), None)
    marks = [places[0].hash.bytes, VAULT.hash(b"limit.every", PHONE).bytes]  # of weigh's arguments, and of resolve's
    async with lay_cable(database_url) as (cable, near), run_gateway(near, policy=POLICY + PRICES) as gateway:
        gateway.database = database  # the test looks on without the cable
        cable.cuts += [(mark, moment) for mark in marks]
        verification = await gateway.begin()
        [send] = await ended(gateway, verification)
        assert (send["state"], cable.cuts) == ("sent", [])
        assert await counted(gateway) == ONCE


async def test_a_spent_limit_is_found_once_and_what_is_suppressed_is_booked_once(
    database_url: str, database: Database
) -> None:
    policy = f'{POLICY}phone_everywhere = ["1/1h"]\n{PRICES}'
    async with lay_cable(database_url) as (cable, near), run_gateway(near, policy=policy) as gateway:
        gateway.database = database
        await ended(gateway, await gateway.begin())
        cable.cuts.append((VAULT.hash(b"limit.every", PHONE).bytes, "after"))
        assert await enforced(gateway, await gateway.begin()) == {"phone_everywhere"}
        found = await counted(gateway)
        assert (cable.cuts, found["ledger"], found["hits"]) == ([], [(1, 0.25, 1, 0.25)], 1)
        assert {row[0] for row in found["histories"]} == {1.0}


async def test_what_was_decided_stands_for_whoever_takes_over(database_url: str) -> None:
    """A suppressed send is not looked up, adopted or decided anew: nothing can have left."""
    async with run_gateway(database_url, policy=f'{POLICY}[countries]\nallow = ["US"]\n') as gateway:
        british = "+447400123456"
        verification = await gateway.begin(british)
        [before] = await ended(gateway, verification)
        await gateway.database.pool.execute(
            "update sends set provider = null, provider_id = null, ended_at = null where verification_id = $1",
            UUID(verification),
        )
        await crash(gateway, verification)
        [after] = await ended(gateway, verification)
        assert (after["decision"], after["provider"]) == (before["decision"], "silent")
        assert gateway.stage.journal.list_calls("lookup") == []


class Bench:
    """The two statements by hand, on one send."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.fraud_store = FraudStore(database)
        self.subject = Subject("country", VAULT.hash(b"history.country", "US"), 7)
        self.limit = SendLimit("device", VAULT.hash(b"test", "device"), [Window(1, 3600.0)])
        self.block = RuleBlock(self.subject.hash, "country", "US", "evidence 9.0", 300.0, 43_200.0)
        self.booking = Booking(1, "US", "sms", 0.25, None, None)

    def weighing(self, row: UUID) -> Weighing:
        return Weighing(row, 1, 1, row, None, [self.subject])

    def resolution(self, row: UUID, *, goes: bool) -> Resolution:
        strike = VAULT.hash(b"test", "forger")
        return Resolution(row, 1, goes, decide(allow=goes), [self.limit], [self.block], self.booking, strike)

    async def left(self) -> list[Any]:
        """Read all that is counted."""
        tables = ("histories", "counters", "ledger", "blocks")
        return [await self.database.pool.fetch(f"select * from {table} order by 1") for table in tables]


@pytest.mark.parametrize("goes", [True, False])
async def test_resolving_again_changes_nothing_and_answers_what_stands(database: Database, *, goes: bool) -> None:
    bench = Bench(database)
    row = await begin_send(database)
    await bench.fraud_store.weigh(bench.weighing(row))
    once = await bench.left()
    await bench.fraud_store.weigh(bench.weighing(row))
    assert await bench.left() == once
    assert await bench.fraud_store.resolve(bench.resolution(row, goes=goes)) == decide(allow=goes)
    resolved = await bench.left()
    for other in (goes, not goes):
        assert await bench.fraud_store.resolve(bench.resolution(row, goes=other)) == decide(allow=goes)
        assert await bench.fraud_store.weigh(bench.weighing(row)) == decide(allow=goes)
    assert await bench.left() == resolved


async def test_a_process_that_comes_too_late_books_nothing(database: Database) -> None:
    """It stood still between its two statements; meanwhile the verification ended, and nothing would be refunded."""
    bench = Bench(database)
    row = await begin_send(database)
    await bench.fraud_store.weigh(bench.weighing(row))
    await database.pool.execute("update sends set state = 'abandoned' where verification_id = $1", row)
    await bench.fraud_store.resolve(bench.resolution(row, goes=True))
    _, counters, ledger, blocks = await bench.left()
    assert (counters, ledger, blocks) == ([], [], [])


async def test_sends_that_convert_at_once_are_each_credited_once(database: Database) -> None:
    """They share their country's history, and go in one statement."""
    bench = Bench(database)
    rows = [await begin_send(database) for _ in range(5)]
    for number, row in enumerate(rows):
        subject = Subject("country", bench.subject.hash, number)
        await bench.fraud_store.weigh(Weighing(row, 1, 1, row, None, [subject]))
        await bench.fraud_store.resolve(Resolution(row, 1, goes=True, decision=decide(allow=True)))
    for _ in range(2):
        await asyncio.gather(*(bench.fraud_store.credit(row) for row in [*rows, *rows]))
        history = await database.pool.fetchrow("select goods, day_good, long_good from histories")
        assert history is not None
        assert tuple(history) == ([True] * 5, 5.0, 5.0)


async def test_a_code_entered_after_a_resend_counts_as_converted_in_its_numbers_histories(
    database_url: str,
) -> None:
    policy = f'{POLICY}phone = ["1000/1h"]\n[fallback]\nafter = "1s"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        verification = await gateway.begin()
        await ended(gateway, verification)

        async def is_used() -> bool:
            return (await gateway.use_fallback(verification)).status == 202

        await until(is_used, "the next channel is taken")
        await ended(gateway, verification, 2)
        assert (await gateway.verify(verification, await read_code(gateway, PHONE, "call"))).body["verified"] is True
        range_of = subjects_of(VAULT, PHONE, phone.describe(PHONE), None)[0].hash

        async def is_credited() -> bool:
            converted = await gateway.database.pool.fetchval("select goods from histories where subject = $1", range_of)
            return bool(converted == [True])

        await until(is_credited, "the history says that the send converted")
