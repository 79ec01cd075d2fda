"""A code that is entered gives back the places that its request took: its own, once, and under a total."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.engine import Database
from service.policy import loading
from service.vault import new_id
from service.verification.states import GuessResult
from tests.support.admission import NOON, AdmissionHarness
from tests.support.dispatching import numbers
from tests.support.gateway import ADDRESS, Calls, Gateway, run_gateway
from tests.support.guessing import begin_and_read

POLICY = """
[limits]
phone = ["1000/1h"]
ip = ["3/1h"]
ip_total = "5/1h"
account = ["3/1h"]
account_total = ["5/1h"]
"""
FREE, PER = 4, 1  # as wait_for_place.sql has them
LISTS = "select unconverted, hits from counters where subject = $1"
UNVERIFIED = "select count(*) from verifications where ip_limit = $1 and status <> 'verified'"


async def read_lists(database: Database, subject: UUID | None) -> tuple[list[datetime], list[datetime]]:
    """Read what a subject counts: what was not given back, and all."""
    row = await database.pool.fetchrow(LISTS, subject)
    assert row
    return row[0], row[1]


async def open_at(database: Database, policy: str = POLICY) -> AdmissionHarness:
    harness = AdmissionHarness(database, policy)
    await harness.join("shop", "bank")
    return harness


async def admit_all(harness: AdmissionHarness, phones: list[str], **fields: Any) -> list[UUID]:
    """Admit requests one after the other, a second apart; the ids of those that were let in."""
    let_in = []
    for phone in phones:
        harness.wait(1)
        answer = await harness.admit(phone, **fields)
        let_in += [answer.id] if answer.outcome == "admitted" else []
    return let_in


async def guess(harness: AdmissionHarness, row: UUID, result: GuessResult = "right", client: str = "shop") -> UUID:
    tried = new_id()
    assert (await harness.store.reserve(harness.callers[client], row, tried)).outcome == "reserved"
    await harness.store.settle(tried, result, harness.policies.default)
    return tried


@pytest.mark.parametrize("source", [{"ip_address": ADDRESS}, {"account_id": "me"}])
async def test_a_code_that_is_entered_makes_room_for_one_more_until_the_total_is_reached(
    database_url: str, source: dict[str, Any]
) -> None:
    """Over HTTP. By account each request comes from another address."""

    async def ask(number: int, phone: str) -> int:
        fields = {"ip_address": f"198.51.100.{number}"} | source
        return (await gateway.request(phone, **fields)).status

    async with run_gateway(database_url, policy=POLICY) as gateway:
        phones = numbers(12)
        first, code = await begin_and_read(gateway, phones[0], **({"ip_address": "198.51.100.99"} | source))
        second, other = await begin_and_read(gateway, phones[1], **({"ip_address": "198.51.100.98"} | source))
        assert [await ask(n, phones[n]) for n in (2, 3)] == [202, 429]
        assert (await gateway.verify(first, code, idem="once")).body["verified"] is True
        assert (await gateway.verify(first, code, idem="once")).headers["idempotent-replayed"] == "true"
        assert (await gateway.verify(first, code)).status == 409
        assert [await ask(n, phones[n]) for n in (4, 5)] == [202, 429]
        assert (await gateway.verify(second, other)).body["verified"] is True
        assert [await ask(n, phones[n]) for n in (6, 7)] == [202, 429]
        refused = await gateway.request(phones[8], **({"ip_address": "198.51.100.8"} | source))
        assert int(refused.headers["retry-after"]) > 3500, "the total keeps what was given back"


async def test_a_decoy_a_wrong_code_and_a_number_that_is_never_entered_give_nothing_back(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        decoy = await gateway.begin(numbers(1)[0], deliver=False)
        assert (await gateway.verify(decoy, "000000")).body["verified"] is False
        canceled = await gateway.begin(numbers(2)[1])
        assert (await gateway.cancel(canceled)).status == 200
        await gateway.begin(numbers(3)[2])
        assert (await gateway.request(numbers(4)[3])).status == 429


async def test_each_verification_gives_back_its_own_places_with_those_of_its_fallbacks_and_only_once(
    database: Database,
) -> None:
    """Two clients share the address. What is given back may have left the window, or come between others' hits."""
    harness = await open_at(database, POLICY.replace("3/1h", "9/1h"))
    ours = await admit_all(harness, numbers(2), account="me")
    theirs = (await harness.admit(numbers(3)[2], client="bank")).id
    caller, policy = harness.callers["shop"], harness.policies.default
    harness.wait(40)
    used = await harness.store.use_fallback(caller.key_id, caller.client_id, ours[0], policy)
    assert used.outcome == "used"
    item = harness.item(account="me")
    assert item.account_limit
    before, hits = await read_lists(database, item.ip_limit)
    assert before == hits
    assert len(hits) == 4
    one = await guess(harness, ours[0])
    for _ in range(2):  # a reply that was lost is asked for again
        await harness.store.settle(one, "right", policy)
    kept = [hits[1], hits[2]]  # the other request's, and the other client's; not the fallback's and its request's
    assert await read_lists(database, item.ip_limit) == (kept, hits)
    assert [len(each) for each in await read_lists(database, item.account_limit)] == [1, 2]
    await guess(harness, theirs, client="bank")
    assert (await read_lists(database, item.ip_limit))[0] == [hits[2]]
    await guess(harness, ours[1], "wrong")
    assert (await read_lists(database, item.ip_limit))[0] == [hits[2]]


async def test_two_right_codes_of_one_verification_give_back_one_place(database: Database) -> None:
    harness = await open_at(database)
    first, *_ = await admit_all(harness, numbers(3))
    tried = [new_id(), new_id()]
    for each in tried:
        assert (await harness.store.reserve(harness.callers["shop"], first, each)).outcome == "reserved"
    for each in tried:
        await harness.store.settle(each, "right", harness.policies.default)
    assert len(await admit_all(harness, numbers(3, first=50))) == 1


async def test_right_codes_and_requests_that_come_at_once_leave_exactly_as_many_places_as_there_are(
    database_url: str,
) -> None:
    """At any time an address holds as many places as it has requests whose code was not entered, and ten at most."""
    policy = '[limits]\nip = ["10/1h"]\nip_total = ["1000/1h"]\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        bank: Calls = await gateway.client("bank")
        phones = iter(numbers(400))
        for _ in range(2):
            held = [await begin_and_read(gateway, next(phones)) for _ in range(FREE)]
            replies = await asyncio.gather(
                *(gateway.verify(row, code) for row, code in held),
                *((bank if n % 2 else gateway).request(next(phones)) for n in range(30)),
            )
            assert all(reply.body["verified"] for reply in replies[:FREE])
            await check_places(gateway)
            # What is still free can be had to the last place, and no more.
            more = [(await gateway.request(next(phones))).status for _ in range(12)]
            assert more == sorted(more)
            assert 429 in more
            assert await check_places(gateway) == 10
            await gateway.database.pool.execute("update counters set hits = '{}', unconverted = '{}'")
            await gateway.database.pool.execute("delete from verifications")


async def check_places(gateway: Gateway) -> int:
    """Compare the places that are held with the requests that were not converted."""
    pool = gateway.database.pool
    subject = await pool.fetchval("select ip_limit from verifications limit 1")
    unconverted, hits = await read_lists(gateway.database, subject)
    assert set(unconverted) <= set(hits)
    assert len(hits) == await pool.fetchval("select count(*) from verifications")
    assert len(unconverted) == await pool.fetchval(UNVERIFIED, subject)
    assert len(unconverted) <= 10
    return len(unconverted)


async def test_what_is_taken_back_after_an_unclear_end_is_in_neither_count(database: Database) -> None:
    harness = await open_at(database)
    kept, gone = harness.item(numbers(1)[0], token=True), harness.item(numbers(2)[1], token=True)
    for item in (kept, gone):
        await harness.store.admit(item)
    harness.store.owed.requests.put(gone)
    assert await harness.store.owed.settle_up(30)
    unconverted, hits = await read_lists(database, kept.ip_limit)
    assert unconverted == hits
    assert hits == [NOON]


async def test_after_the_first_four_who_got_in_there_is_a_place_more_for_each_of_the_others(database: Database) -> None:
    """Of an office's people some never enter a code: they must not shut the others out."""
    harness = await open_at(database, '[limits]\nphone = ["1000/1h"]\nip = ["3/1h"]\nip_total = ["100/1h"]\n')
    phones = iter(numbers(100))
    for _ in range(FREE + 2 * PER):
        [row] = await admit_all(harness, [next(phones)])
        await guess(harness, row)
    assert len(await admit_all(harness, [next(phones) for _ in range(8)])) == 3 + 2


moments = st.lists(st.tuples(st.integers(1, 400), st.booleans()), min_size=1, max_size=60)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(moments=moments, most=st.integers(1, 4), seconds=st.sampled_from([60, 200]))
async def test_the_wait_for_a_place_is_exact(
    database: Database, moments: list[tuple[int, bool]], most: int, seconds: int
) -> None:
    """As counted by hand: the first moment from which a request is let in."""
    hits = sorted(dict(moments).items())

    def is_open(after: float) -> bool:
        inside = [done for age, done in hits if age + after < seconds]
        unconverted = inside.count(False)
        return unconverted < most + max(0, inside.count(True) - FREE) // PER

    def at(age: int) -> datetime:
        return NOON - timedelta(seconds=age)

    wait = await database.pool.fetchval(
        "select wait_for_place($1, $2, $3, $4, $5)",
        [at(age) for age, done in hits if not done], [at(age) for age, _ in hits], most, float(seconds), NOON,
    )  # fmt: skip
    moments_of_change = [0, *sorted(seconds - age for age, _ in hits if age < seconds)]
    assert max(wait, 0) == next(after for after in moments_of_change if is_open(after))


def test_a_limit_that_a_file_sets_has_six_times_as_much_as_its_total_unless_that_is_set_too() -> None:
    shipped = loading.parse("").default.limits
    assert [repr(shipped.ip), repr(shipped.ip_total)] == ["[10/3600s]", "[200/3600s]"]
    read = loading.parse(
        '[limits]\nip = ["100/1h", "500/1d"]\ndevice = "7/1h"\ndevice_total = "9/1h"\n'
        '[clients.shop.limits]\naccount = ["2/1m"]\n'
    )
    assert repr(read.default.limits.ip_total) == "[600/3600s, 1000/86400s]"
    assert repr(read.default.limits.device_total) == "[9/3600s]"
    assert repr(read.default.limits.account_total) == repr(shipped.account_total)
    assert repr(read.of("shop").limits.account_total) == "[12/60s]"
