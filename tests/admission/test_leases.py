"""A request admitted with a lease is begun at once, unless a send to its number is in flight."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from service.db.engine import Database
from service.verification.storage.rows import Admission
from tests.support.admission import NOON, WIDE, AdmissionHarness, open_desk
from tests.support.gateway import OTHER_PHONE, PHONE

STATES = "select state, begun_at from sends where verification_id = $1"
ROW = "select lease_token, lease_until, next_action_at, used, deliver, expires_at from verifications where id = $1"


async def _state(database: Database, item: Admission) -> str:
    return str(await database.pool.fetchval(STATES, item.id))


async def test_with_a_token_it_is_begun_under_a_lease_and_without_one_it_is_due(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    begun, due = harness.item(PHONE, token=True), harness.item(OTHER_PHONE, deliver=False, channel="call")
    answers = [await harness.store.admit(begun), await harness.store.admit(due)]
    assert [answer.leased for answer in answers] == [True, False]
    assert [await _state(database, item) for item in (begun, due)] == ["begun", "due"]
    row: dict[str, Any] = dict(await database.pool.fetchrow(ROW, begun.id) or {})
    assert row["lease_token"] == begun.token
    assert (row["lease_until"] - NOON).total_seconds() == 15
    assert (row["next_action_at"] - NOON).total_seconds() == 17
    assert (row["expires_at"] - NOON).total_seconds() == 300
    row = dict(await database.pool.fetchrow(ROW, due.id) or {})
    assert (row["lease_token"], row["lease_until"], row["next_action_at"]) == (None, None, NOON)
    assert (row["used"], row["deliver"]) == (["call"], False)


async def test_while_a_send_to_the_number_is_in_flight_the_next_one_is_due(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop", "bank")
    items = [harness.item(token=True), harness.item(token=True), harness.item(client="bank", token=True)]
    answers = [await harness.store.admit(item) for item in items]
    assert [answer.leased for answer in answers] == [True, False, False]
    assert [await _state(database, item) for item in items] == ["begun", "due", "due"]
    await database.pool.execute("update sends set state = 'sent' where verification_id = $1", items[0].id)
    assert (await harness.admit(client="bank", token=True)).leased is True


async def test_of_two_clients_requests_for_the_same_numbers_at_once_one_each_is_begun(
    database: Database, database_url: str
) -> None:
    """Each process has the numbers in another order: who waited for the other's unfinished insert would deadlock."""
    keeper = AdmissionHarness(database, WIDE, None)
    await keeper.join("shop", "bank")
    numbers = [f"+1312555{number:04}" for number in range(60)]
    async with open_desk(database_url, keeper.callers) as one, open_desk(database_url, keeper.callers) as other:
        for round_ in range(10):
            asks = []
            for net, (harness, client) in enumerate(((one, "shop"), (other, "bank"))):
                items = [
                    harness.item(number, client=client, ip=f"10.{net}.{round_}.{place}", token=True)
                    for place, number in enumerate(random.sample(numbers, len(numbers)))
                ]
                asks.append(harness.store._admit(items, again=False))
            shop, bank = await asyncio.gather(*asks)
            begun = await database.pool.fetch("select distinct phone_hash from sends where state = 'begun'")
            assert len(begun) == sum(answer.leased for answer in shop + bank) == len(numbers)
            await database.pool.execute("update sends set state = 'sent'")
