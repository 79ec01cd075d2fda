"""While a version is rolled out, processes of the release before (0.1.0) go on with their functions on its tables.

What they call stands here as they call it, in the order of a verification's life. Those that are of the schema's
revision 0003 already have functions of their own, and live the same life.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from alembic import command

from service.db.engine import Database
from service.db.schema import migrate
from service.vault import new_id
from tests.support.admission import AdmissionHarness

ADMIT = """
select * from admit(null, false, '15 s', '2 s', 10, '{}', '{}', '{}', '{}', array[$1::uuid], array[$2::int],
    array[$3::int], array[0], array[$4::uuid], array['sms'], array[true], array[false], array[300::float8], array[5],
    array[$5::uuid], array[$6::uuid], array[null::uuid], array[$7::uuid], array[$8::uuid], array['sealed'::bytea],
    array[null::uuid], array[null::uuid], array[$9::uuid])
"""
WEIGH = """
select * from weigh(null, 100, array[null::uuid], array[$1::int], array[$2::uuid], array[1], array[$3::uuid], array[7])
"""
RESOLVE = """
select * from resolve(null, 1000, array[$1::uuid], array[1], array[true], array[$2::timestamptz], array[1],
    array[$3::uuid], '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    array[1], array[$4::int], array['US'], array['sms'], array[0.01::float8], array[null::float8], array[null::float8])
"""
RECORD = """
select record(null, array[$1::uuid], array[$2::uuid], array[1], array[$3], array[0::float8], array['telnyx'],
    array[$4], array[null], array[null], array[$5::jsonb], array[30::float8])
"""
EVENT = """
insert into webhook_events (event_id, event_type, delivery, provider_id, received_at)
values ($1, 'verify.delivered', 'delivered', $2, clock_timestamp())
"""
GUESS = "select outcome from reserve_guess(null, $1, $2, $3, $4, null, '20 s', 5, 10, '{}', '{}', '{}')"
SETTLE = "select status from settle_guess(null, $1, $2, 5, '{}', '{}', '{}')"
PRESS = "select outcome from press(null, $1, $2, $3, array['sms', 'call'], '0 s', 3, 10, 5, '{}', '{}', '{}')"

# The windows of revision 0003: kinds of them were numbers, here that of a number's requests and of its wrong codes.
ADMIT_3 = """
select * from admit_v2(null, false, '15 s', '2 s', 10, array[0, 0], array[1, 5], array[1, 5], array[3600, 3600],
    array[$1::uuid], array[$2::int], array[$3::int], array[0], array[$4::uuid], array['sms'], array[true],
    array[false], array[300::float8], array[5], array[$5::uuid], array[$6::uuid], array[null::uuid],
    array[$7::uuid], array[$8::uuid], array['sealed'::bytea], array[null::uuid], array[null::uuid],
    array[$9::uuid], array[array[$10::uuid]], array[true], array[$11::uuid])
"""
WEIGH_3 = """
select * from weigh_v2(null, 100, array[$1::uuid], array[1], array[null::uuid], array[$2::int], array[$3::uuid],
    array[1], array[$4::uuid], array[7])
"""
RESOLVE_3 = """
select * from resolve_v2(null, 1000, 'limit spent', array[$1::uuid], array[1], array[true],
    array['{"allow": true, "findings": []}'::jsonb], array[null::uuid], '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}', '{}',
    array[1], array[$2::int], array['US'], array['sms'], array[0.01::float8], array[null::float8], array[null::float8])
"""
RECORD_3 = """
select record_v2(null, array[$1::uuid], array[$2::uuid], array[1], array['sent'], array[0::float8], array['telnyx'],
    array[$3], array[null], array[null], array[null::jsonb], array[30::float8])
"""
GUESS_3 = "select outcome, remaining from reserve_once(null, $1, $2, $3, $4, null, null, '20 s', 5, 10, {})"
PRESS_3 = """
select outcome from press_once(null, $4, '15 s', '2 s', $1, $2, $3, array['sms', 'call'], '0 s', 3, 10, 5,
    '{}', '{}', '{}')
"""
SETTLE_3 = "select status, remaining from settle_guess(null, $1, $2, 5, {})"
WRONG_CODES = "array[5], array[2], array[3600]"

# What processes of revision 0005 call for a code.
WINDOWS_5 = "array['source_budget'], array[2], array[3600]"
GUESS_5 = f"""
select outcome, remaining, jsonb_array_length(sends)
from reserve_once_v2(null, $1, $2, $3, $4, null, null, '20 s', 5, 10, {WINDOWS_5})
"""
SETTLE_5 = f"select status, remaining, verified from settle_guess_v2(null, $1, $2, 5, '90 days', {WINDOWS_5})"


class Old:
    """A process of the release before, at work on one verification."""

    def __init__(self, harness: AdmissionHarness) -> None:
        self.pool = harness.database.pool
        self.store = harness.store
        self.item = harness.item(token=True)
        self.of_key = (self.item.key_id, self.item.client_id, self.item.id)
        self.subject = new_id()

    async def admit(self) -> None:
        i = self.item
        [row] = await self.pool.fetch(
            ADMIT, i.id, i.key_id, i.client_id, i.phone_hash, i.phone_limit, i.ip_limit, i.source_budget,
            i.total_budget, i.token,
        )  # fmt: skip
        assert (row["outcome"], row["leased"]) == ("admitted", True)

    async def decide(self) -> None:
        [row] = await self.pool.fetch(WEIGH, self.item.client_id, self.item.phone_hash, self.subject)
        assert json.loads(row["histories"])[0][3:5] == [1, 0], "one send in its history, none of them good"
        [resolved] = await self.pool.fetch(RESOLVE, self.item.id, row["at"], self.subject, self.item.client_id)
        assert resolved["refused_by"] is None

    async def record(self, state: str = "sent", provider_id: str | None = "of-telnyx") -> None:
        kept = await self.pool.fetchval(RECORD, self.item.id, self.item.token, state, provider_id, '{"allow": true}')
        assert kept == self.item.token

    async def guess(self, result: str) -> str:
        guess = new_id()
        assert await self.pool.fetchval(GUESS, *self.of_key, guess) == "reserved"
        return str(await self.pool.fetchval(SETTLE, guess, result))

    async def spent(self) -> Any:
        return tuple(await self.pool.fetchrow("select sends, spent from ledger") or ())


@pytest.fixture
async def harness(database: Database) -> AdmissionHarness:
    harness = AdmissionHarness(database, now=None)
    await harness.join("shop")
    return harness


@pytest.fixture
async def old(harness: AdmissionHarness) -> Old:
    process = Old(harness)
    await process.admit()
    return process


async def go_back(database_url: str) -> None:
    """Go back to the schema before, as whoever goes back to the release before does."""
    await asyncio.to_thread(command.downgrade, migrate.configure(database_url), "0004")


@pytest.mark.parametrize("back", [False, True], ids=["beside this one", "after the way back"])
async def test_a_verification_lives_its_whole_life_at_a_process_of_the_release_before(
    harness: AdmissionHarness, database_url: str, *, back: bool
) -> None:
    if back:
        await go_back(database_url)
    old = Old(harness)
    await old.admit()
    await old.decide()
    await old.record()
    assert await old.spent() == (1, 0.01)
    assert await old.guess("wrong") == await old.guess("returned") == "pending"
    assert await old.pool.fetchval(PRESS, *old.of_key) == "pressed"
    [claimed] = await old.pool.fetch("select * from claim(null, 10, '15 s', '2 s')")
    assert [send["channel"] for send in json.loads(claimed["sends"])] == ["sms", "call"]
    assert await old.guess("right") == "verified"
    await old.pool.execute("select credit(null, array[$1::uuid])", old.item.id)
    assert await old.pool.fetchval("select goods from histories") == [True]


async def test_what_a_process_of_the_release_before_refunds_is_refunded_once(old: Old) -> None:
    await old.decide()
    await old.record("refused", None)
    await old.pool.execute("select refund($1, 1)", old.item.id)
    assert await old.spent() == (0, 0.0)


async def test_an_event_that_it_keeps_is_applied_by_either(old: Old) -> None:
    await old.record()
    await old.pool.execute(EVENT, "1", "of-telnyx")
    assert await old.store.apply_events() == 1
    await old.pool.execute(EVENT, "2", "of-telnyx")
    assert await old.pool.fetchval("select apply_webhooks(null, '15 min')") == 1
    assert await old.pool.fetchval("select delivery from sends") == "delivered"


async def test_its_alerts_and_what_it_forgets_and_counts_are_as_they_were(old: Old) -> None:
    await old.decide()
    alert = "select event from ring_alerts(null, array['telnyx'], array['down'], '5 min')"
    assert [row["event"] for row in await old.pool.fetch(alert)] == ["began", "open"]
    await old.pool.execute("select strike(null, 10, array[$1::uuid])", UUID(int=7))
    assert await old.pool.fetchval("select cardinality(hits) from counters where subject = $1", UUID(int=7)) == 1
    await old.pool.fetch("select * from watch_traffic(null, '2 s')")
    forgotten = "select id from forget(null, $1, '{}', '{}', '{}')"
    assert await old.pool.fetchval(forgotten, old.item.phone_hash) == old.item.id
    assert await old.pool.fetchval("select phone_hash from verifications") != old.item.phone_hash


async def test_an_event_that_it_bound_serves_the_corrected_number_too(old: Old) -> None:
    """It knows the first number alone, and takes the second for a stranger's; this version takes both."""
    event, mine, corrected = new_id(), new_id(), new_id()
    bind = "insert into device_events (event, client_id, phone_hash, first_used_at) values ($1, 1, $2, now())"
    await old.pool.execute(bind, event, mine)
    bound = """
        select bound from weigh_v4(null, 9, '1 day', '14 days', '1 day', '7 days', '1 hour', '1 day', array[$1::uuid],
            array[1], array[1], array[$2::uuid], array[$3::uuid], array[2], '{}', '{}', '{}', '{}', '{}', '{}')
    """
    phones = (mine, corrected, new_id(), corrected)
    found = [await old.pool.fetchval(bound, old.item.id, phone, event) for phone in phones]
    assert found == [True, True, False, True]
    first = "select phone_hash from device_events where event = $1"
    assert await old.pool.fetchval(first, event) == mine


async def test_it_records_when_a_row_that_somebody_held_is_free(old: Old, database: Database) -> None:
    """It takes a lock that is not to be had in time for a defect, and would leave the send to whoever takes over."""
    async with database.pool.acquire() as other, other.transaction():
        await other.execute("select from verifications for update")
        recording = asyncio.create_task(old.record())
        await asyncio.sleep(0.8)
        assert not recording.done()
    await recording


async def test_after_the_way_back_the_way_forth_is_open(old: Old, database_url: str) -> None:
    await go_back(database_url)
    await old.decide()
    await asyncio.to_thread(migrate.upgrade, database_url)
    await old.record()
    assert await old.guess("right") == "verified"


@pytest.mark.parametrize("back", [False, True], ids=["beside this one", "after the way back"])
async def test_a_verification_lives_its_whole_life_at_a_process_of_revision_0003(
    harness: AdmissionHarness, database: Database, database_url: str, *, back: bool
) -> None:
    if back:
        await go_back(database_url)
    i, pool, source, press = harness.item(token=True), database.pool, new_id(), new_id()
    of_key = (i.key_id, i.client_id, i.id)

    async def admit(row: UUID, token: UUID | None) -> str:
        [answer] = await pool.fetch(
            ADMIT_3, row, i.key_id, i.client_id, i.phone_hash, i.phone_limit, i.ip_limit, i.source_budget,
            i.total_budget, token, source, new_id(),
        )  # fmt: skip
        return str(answer["outcome"])

    async def guess(result: str) -> tuple[Any, ...]:
        one = new_id()
        reserved = await pool.fetchrow(GUESS_3.format(WRONG_CODES), *of_key, one)
        settled = await pool.fetchrow(SETTLE_3.format(WRONG_CODES), one, result)
        assert reserved
        assert settled
        return (*reserved, *settled)

    assert [await admit(i.id, i.token), await admit(new_id(), None)] == ["admitted", "limited"]
    await pool.fetch(WEIGH_3, i.id, i.client_id, i.phone_hash, new_id())
    await pool.fetch(RESOLVE_3, i.id, i.client_id)
    assert await pool.fetchval(RECORD_3, i.id, i.token, "of-telnyx") == i.token
    await pool.execute(EVENT, "1", "of-telnyx")
    assert [tuple(row) for row in await pool.fetch("select * from apply_webhooks_v2(null, '15 min', 9, 9)")] == [
        (1, 1, 0, 0)
    ]
    assert await guess("wrong") == ("reserved", 2, "pending", 1)
    assert await pool.fetchval(PRESS_3, *of_key, press) == "pressed"
    await pool.fetch("select release_press(null, $1, $2)", i.id, press)
    assert await pool.fetchval("select waited < 9 and not unreadable from backlog(null, null)")
    assert await guess("right") == ("reserved", 1, "verified", 2)
    assert await pool.fetchval("select source from known_sources") == source
    assert await pool.fetchval("select sent from watch_traffic(null, '2 s')") == 1
    assert await pool.fetchval("select id from forget_v2(null, $1, '{}', '{}', '{}', 9)", i.phone_hash) == i.id


async def test_a_code_is_checked_by_a_process_of_revision_0005_and_one_of_this_by_turns(
    harness: AdmissionHarness,
) -> None:
    item, pool, caller = harness.item(token=True), harness.database.pool, harness.callers["shop"]
    of_key, policy = (item.key_id, item.client_id, item.id), harness.policies.default
    await harness.store.admit(item)
    first, second, third = new_id(), new_id(), new_id()
    assert tuple(await pool.fetchrow(GUESS_5, *of_key, first) or ()) == ("reserved", 2, 1)
    assert (await harness.store.settle(first, "wrong", policy)).remaining == 4
    assert (await harness.store.reserve(caller, item.id, second)).remaining == 4
    assert tuple(await pool.fetchrow(SETTLE_5, second, "returned") or ()) == ("pending", 1, False)
    assert tuple(await pool.fetchrow(GUESS_5, *of_key, third) or ()) == ("reserved", 1, 1)
    assert tuple(await pool.fetchrow(SETTLE_5, third, "right") or ()) == ("verified", 2, True)
    assert await pool.fetchval("select count(*) from known_sources") > 0
