"""Two taps on "send": the second gets the first one's answer, no second code, and counts nowhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.db.engine import Database
from service.vault import new_id
from tests.support.admission import AdmissionHarness
from tests.support.fraud import FINGERPRINT_KEY, mint_whole, sends_to
from tests.support.gateway import OTHER_PHONE, PHONE, Calls, read_code, run_gateway, run_process, wrong

POLICY = """
[limits]
phone = ["3/1h"]
ip = ["1000/1h"]
[verification]
repeat_within = "1m"
[fallback]
after = "1s"
"""
SUPPRESSED = ("+19002340001", "+447400123456")  # a premium number, and a country that is not served
HITS = """
select sum(cardinality(hits)) from counters
where subject in (select phone_limit from verifications union select ip_limit from verifications)
"""


async def tap(calls: Calls, **fields: Any) -> tuple[int, str, bool]:
    """Request, and answer the status, the id, and whether it is called a replay."""
    reply = await calls.request(**fields)
    return reply.status, reply.body.get("id", ""), reply.headers.get("idempotent-replayed") == "true"


async def test_a_second_tap_gets_the_first_ones_answer_and_counts_nowhere(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        first = await gateway.request()
        counted = await gateway.database.pool.fetchval(HITS)
        for spelling in (PHONE, " +1 (312) 555-0142", PHONE, PHONE):
            again = await gateway.request(spelling)
            assert (again.status, again.body) == (202, first.body)
            assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers
        assert await gateway.database.pool.fetchval(HITS) == counted
        code = await read_code(gateway)
        assert (await gateway.verify(first.body["id"], code)).body["verified"] is True
        assert sends_to(gateway, PHONE) == 1


@pytest.mark.parametrize(
    "fields", [{"deliver": False}, {"phone_number": "+19002340001"}, {"phone_number": "+447400123456"}]
)
async def test_a_decoy_and_what_is_suppressed_answer_a_second_tap_as_a_real_one(
    database_url: str, fields: dict[str, Any]
) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        first, second = await gateway.request(**fields), await gateway.request(**fields)
        assert (second.status, second.body) == (202, first.body)
        assert second.headers["idempotent-replayed"] == "true"


async def test_of_taps_at_two_processes_at_once_one_is_admitted(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway, run_process(gateway) as other:
        replies = await asyncio.gather(
            *(tap(calls, phone_number=number)
              for number in (PHONE, OTHER_PHONE) for calls in (gateway, other.calls) for _ in range(6))
        )  # fmt: skip
        assert {status for status, _, _ in replies} == {202}
        assert len({one for _, one, _ in replies}) == 2
        assert sum(not replayed for _, _, replayed in replies) == 2
        assert await gateway.database.pool.fetchval("select count(*) from verifications") == 2
        assert await gateway.database.pool.fetchval(HITS) == 4, "two numbers, and one address twice"


async def test_each_tap_may_bring_a_key_of_its_own_which_is_bound_to_the_first_ones_answer(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        first = await gateway.request(idem="one")
        second = await gateway.request(idem="two")
        assert (second.body, second.headers["idempotent-replayed"]) == (first.body, "true")
        assert (await gateway.request()).body == first.body
        assert (await gateway.request(idem="two", channel="call")).status == 422
        # A key is good for a day, however short taps are told together.
        await gateway.cancel(first.body["id"])
        assert (await gateway.request(idem="two")).body == first.body
        assert (await tap(gateway, idem="three"))[1:] != (first.body["id"], True)


@pytest.mark.parametrize(
    "other",
    [
        {"channel": "call"}, {"deliver": False}, {"ip_address": "192.0.2.1"}, {"account_id": "a"},
        {"phone_number": OTHER_PHONE},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_asked_otherwise_or_from_elsewhere_is_no_second_tap(
    database_url: str, other: dict[str, Any]
) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        _, first, _ = await tap(gateway)
        _, second, replayed = await tap(gateway, **other)
        assert (second != first, replayed) == (True, False)


async def test_of_another_client_nothing_is_repeated(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        bank = await gateway.client("bank")
        assert (await tap(gateway))[1] != (await tap(bank))[1]


async def test_an_account_may_bring_a_new_event_and_token_with_each_tap(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        _, first, _ = await tap(gateway, account_id="Ann", device_event_id="1", captcha_token="a")
        assert await tap(gateway, account_id=" ann", device_event_id="2", captcha_token="b") == (202, first, True)
        assert (await tap(gateway, account_id="Bob", device_event_id="2"))[1] != first


async def test_each_tap_may_bring_a_new_event_without_an_account_too(database_url: str) -> None:
    """Pages are told to make a new event for each submit."""
    async with run_gateway(database_url, policy=POLICY, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
        first_event, second_event = [(await mint_whole(gateway, visitor_id="v1"))["event_id"] for _ in range(2)]
        _, first, _ = await tap(gateway, device_event_id=first_event)
        assert await tap(gateway, device_event_id=second_event) == (202, first, True)
        assert await tap(gateway) == (202, first, True)


async def test_two_ways_to_write_one_phone_are_one_tap(database_url: str) -> None:
    policy = f'{POLICY}[countries]\nallow = ["AR"]\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        _, first, _ = await tap(gateway, phone_number="+541169071234")
        assert await tap(gateway, phone_number="+5491169071234") == (202, first, True)


async def test_once_the_first_is_over_or_a_fallback_was_used_a_request_is_a_new_one(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        _, first, _ = await tap(gateway)
        await gateway.cancel(first)
        _, second, replayed = await tap(gateway)
        assert (second != first, replayed) == (True, False)
        await asyncio.sleep(1.1)
        assert (await gateway.use_fallback(second)).status == 202
        assert (await tap(gateway))[0] == 429, "the number's three: two requests and a fallback"


async def test_a_second_tap_after_a_wrong_code_tells_what_is_left(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        _, first, _ = await tap(gateway)
        await gateway.verify(first, wrong(await read_code(gateway)))
        assert (await gateway.request()).body["attempts_remaining"] == 4


async def test_a_second_tap_is_answered_where_the_limit_is_spent_by_the_first(database_url: str) -> None:
    policy = POLICY.replace("3/1h", "1/1h")
    async with run_gateway(database_url, policy=policy) as gateway:
        first = await tap(gateway)
        assert await tap(gateway) == (202, first[1], True)
        assert (await tap(gateway, channel="call"))[0] == 429


async def test_a_policy_says_how_long_and_whether_at_all(database_url: str) -> None:
    policy = POLICY.replace("1m", "off") + '[clients.bank.verification]\nrepeat_within = "1m"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        bank = await gateway.client("bank")
        assert (await tap(gateway))[1] != (await tap(gateway))[1]
        assert (await tap(bank))[1] == (await tap(bank))[1]


async def test_time_ends_it(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    again: dict[str, Any] = {"repeat": new_id(), "repeat_within": 10.0}
    first = await harness.admit(**again)
    harness.wait(9.9)
    assert await harness.admit(**again) == first.__class__(
        "replayed", first.id, first.created_at, first.expires_at, first.remaining, None, leased=False
    )
    harness.wait(0.2)
    assert (await harness.admit(**again)).outcome == "admitted"


async def test_taps_of_one_batch_are_told_together(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    again: dict[str, Any] = {"repeat": new_id(), "repeat_within": 10.0}
    items = [
        harness.item(**again),
        harness.item(repeat=new_id(), repeat_within=10.0),
        harness.item(**again),
        harness.item(**again),
    ]
    answers = await harness.store._admit(items)
    assert [one.outcome for one in answers] == ["admitted", "admitted", "replayed", "replayed"]
    assert {answers[place].id for place in (0, 2, 3)} == {items[0].id}


@pytest.mark.parametrize("tapped", [False, True])
async def test_what_a_second_tap_was_answered_from_is_not_taken_back(database: Database, *, tapped: bool) -> None:
    """The first one's caller was told 503 after an unclear end; what the second was told stays true."""
    harness = AdmissionHarness(database, now=None)
    await harness.join("shop")
    again: dict[str, Any] = {"repeat": new_id(), "repeat_within": 10.0}
    first = harness.item(token=True, **again)
    await harness.store.admit(first)
    if tapped:
        assert (await harness.admit(**again)).id == first.id
    harness.store.owed.requests.put(first)
    await harness.store.owed.settle_up(30)
    assert [row["id"] for row in await harness.rows("verifications")] == ([first.id] if tapped else [])
