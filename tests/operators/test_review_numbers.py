"""A review number: a number and a code that are fixed for one production client until an end, and nothing is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.worker.retention import Retention
from tests.support.commands import Done, run_inside
from tests.support.gateway import Calls, Gateway, Reply, run_gateway, wrong
from tests.support.receivers import call_back, run_receiver
from tests.support.waiting import until

PATH = "/v1/operator/review-numbers"
NUMBER = "+14155550123"
# In no country that is allowed, and no number of the plan: rules would suppress each of these.
BRITISH = "+447700900123"
STRICT = (
    '[limits]\nip = ["1000/1h"]\nphone = ["2/1h"]\n[countries]\nallow = ["US"]\n[rules.no_event]\nmode = "enforce"\n'
)
ORDER = {"client": "shop", "phone_number": NUMBER, "duration": "30d", "reason": "App review of 4.2"}


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    async with run_gateway(database_url, policy=STRICT, CALLBACK_ALLOW_PRIVATE="true") as running:
        yield running


@pytest.fixture
async def desk(gateway: Gateway) -> Calls:
    return await gateway.client("desk", scope="operator")


async def order(desk: Calls, **fields: Any) -> Reply:
    return await desk.call("POST", PATH, ORDER | fields)


async def fix(desk: Calls, **fields: Any) -> str:
    """Set one; return its code."""
    reply = await order(desk, **fields)
    assert reply.status == 201, reply
    return str(reply.body["code"])


async def settle(gateway: Gateway, verification: str) -> str:
    """Wait until the first send is over; return its provider."""
    read = "select provider from sends where verification_id = $1::uuid and state = 'sent'"

    async def is_over() -> bool:
        return await gateway.database.pool.fetchval(read, verification) is not None

    await until(is_over, "its send is over")
    return str(await gateway.database.pool.fetchval(read, verification))


async def verifies(gateway: Gateway, calls: Calls, code: str, number: str = NUMBER) -> bool:
    verification = await calls.begin(number)
    await settle(gateway, verification)
    return bool((await calls.verify(verification, code)).body["verified"])


@pytest.mark.parametrize("number", [NUMBER, BRITISH])
async def test_its_code_verifies_it_whatever_rules_say_nothing_is_sent_and_callers_see_the_same(
    gateway: Gateway, desk: Calls, number: str
) -> None:
    code = await fix(desk, phone_number=number)
    reply, other = await gateway.request(number), await gateway.request("+14155550199")
    assert reply.body.keys() == other.body.keys()
    assert (reply.status, reply.body["message"]) == (other.status, other.body["message"])
    verification = reply.body["id"]
    assert await settle(gateway, verification) == "review"
    refused = await gateway.verify(verification, wrong(code))
    assert (refused.status, refused.body["verified"], refused.body["attempts_remaining"]) == (200, False, 4)
    assert (await gateway.verify(verification, code)).body["verified"]
    assert gateway.telnyx.verifications.list_by_phone(number) == []


async def test_it_is_called_back_and_falls_back_like_any_other_and_no_channel_reaches_telnyx(
    gateway: Gateway, desk: Calls
) -> None:
    async with run_receiver() as receiver:
        await call_back(gateway, receiver)
        code = await fix(desk)
        verification = await gateway.begin(NUMBER)
        await settle(gateway, verification)
        await gateway.database.pool.execute("update verifications set pressed_at = pressed_at - interval '1 minute'")
        assert (await gateway.use_fallback(verification)).status == 202
        both = "select count(*) from sends where provider = 'review' and state = 'sent'"

        async def is_over() -> bool:
            return bool(await gateway.database.pool.fetchval(both) == 2)

        await until(is_over, "the second channel is over")
        assert (await gateway.verify(verification, code)).body["verified"]
        await until(lambda: receiver.types_of(verification) == ["verification.verified"], "it is told")
    assert gateway.telnyx.verifications.list_by_phone(NUMBER) == []


async def test_for_other_clients_and_for_decoys_it_is_a_number_like_any_other(gateway: Gateway, desk: Calls) -> None:
    code = await fix(desk)
    bank, tests = await gateway.client("bank"), await gateway.client("shop-test", test=True)
    assert not await verifies(gateway, bank, code)
    assert not await verifies(gateway, tests, code)
    decoy = await gateway.begin(NUMBER, deliver=False)
    assert await settle(gateway, decoy) == "silent"
    assert not (await gateway.verify(decoy, code)).body["verified"]


async def test_limits_and_five_wrong_codes_hold(gateway: Gateway, desk: Calls) -> None:
    code = await fix(desk)
    verification = await gateway.begin(NUMBER)
    await settle(gateway, verification)
    for _ in range(4):
        await gateway.verify(verification, wrong(code))
    last = await gateway.verify(verification, wrong(code))
    assert last.body["status"] == "locked"
    assert (await gateway.verify(verification, code)).status == 409
    await gateway.begin(NUMBER)
    assert (await gateway.request(NUMBER)).status == 429


async def test_once_it_is_over_its_code_is_wrong_at_once_also_for_what_was_requested_before(
    gateway: Gateway, desk: Calls
) -> None:
    made = (await order(desk)).body
    code, place = made["code"], f"{PATH}/{made['review_number']['id']}"
    before = await gateway.begin(NUMBER)
    await settle(gateway, before)
    lifted = await desk.call("DELETE", place)
    assert (lifted.status, lifted.body["in_force"]) == (200, False)
    assert (await desk.call("DELETE", place)).status == 404
    assert not (await gateway.verify(before, code)).body["verified"]
    code = await fix(desk, duration="1h")
    verification = await gateway.begin(NUMBER)
    await settle(gateway, verification)
    await gateway.database.pool.execute("update review_numbers set until = now()")
    assert not (await gateway.verify(verification, code)).body["verified"]


async def test_setting_it_again_replaces_it(gateway: Gateway, desk: Calls) -> None:
    first, second = await fix(desk, code="482913"), await fix(desk, code="482914")
    assert not await verifies(gateway, gateway, first)
    assert await verifies(gateway, gateway, second)


async def test_what_was_replaced_never_comes_back_neither_when_the_last_one_is_lifted_nor_when_it_ends(
    gateway: Gateway, desk: Calls
) -> None:
    """A code that was replaced because strangers know it: it is wrong for good, also for what was requested before."""
    first = await fix(desk, code="482913")
    before = await gateway.begin(NUMBER)
    await settle(gateway, before)
    made = (await order(desk, code="482914", duration="1h")).body
    assert not (await gateway.verify(before, first)).body["verified"]
    assert [one["in_force"] for one in (await desk.call("GET", PATH)).body["review_numbers"]] == [True, False]
    await gateway.database.pool.execute("update review_numbers set until = now() where until < now() + interval '2h'")
    ended = await gateway.begin(NUMBER)
    assert await settle(gateway, ended) != "review"
    assert not (await gateway.verify(ended, first)).body["verified"]
    assert (await desk.call("DELETE", f"{PATH}/{made['review_number']['id']}")).status == 404


async def test_of_two_set_at_the_same_time_only_the_last_one_counts(gateway: Gateway, desk: Calls) -> None:
    """Neither statement saw the other: both rows say that they are in force."""
    code, last = await fix(desk, code="482913"), await fix(desk, code="482914")
    await gateway.database.pool.execute("update review_numbers set lifted_at = null")
    before = await gateway.begin(NUMBER)
    await settle(gateway, before)
    assert not (await gateway.verify(before, code)).body["verified"]
    assert (await gateway.verify(before, last)).body["verified"]
    row = await gateway.database.pool.fetchval("select max(id) from review_numbers")
    assert (await desk.call("DELETE", f"{PATH}/{row}")).status == 200
    assert not await verifies(gateway, gateway, code)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"phone_number": "+13125560142"}, "phone_number"),
        ({"phone_number": "+447911123456"}, "phone_number"),
        ({"client": "nobody"}, "client"),
        ({"client": "shop-test"}, "client"),
        ({"duration": "91d"}, "duration"),
        ({"code": "48291"}, "code"),
        ({"code": "000000"}, "code"),
        ({"code": "987654"}, "code"),
        ({"reason": f"for {NUMBER}"}, "reason"),
        ({"reason": "   "}, "reason"),
    ],
)
async def test_somebodys_number_a_weak_code_and_a_long_time_are_refused(
    gateway: Gateway, desk: Calls, fields: dict[str, str], named: str
) -> None:
    await gateway.client("shop-test", test=True)
    refused = await order(desk, **fields)
    assert (refused.status, refused.body["fields"]) == (422, [named])
    assert (await desk.call("GET", PATH)).body["review_numbers"] == []


async def test_only_an_operators_key_may_set_one(gateway: Gateway, desk: Calls) -> None:
    assert (await gateway.call("POST", PATH, ORDER)).status == 403
    assert (await desk.call("GET", PATH)).status == 200


async def test_neither_its_number_nor_its_code_is_in_the_list_or_in_the_database(gateway: Gateway, desk: Calls) -> None:
    code = await fix(desk)
    listed = (await desk.call("GET", PATH)).body["review_numbers"]
    assert [(one["client"], one["number"], one["in_force"]) for one in listed] == [("shop", "+1…23", True)]
    assert code not in str(listed)
    rows = await gateway.database.pool.fetch("select to_jsonb(r)::text from review_numbers r")
    assert all(code not in row[0] and NUMBER.removeprefix("+1") not in row[0] for row in rows)


async def run(gateway: Gateway, *words: str) -> Done:
    return await run_inside("review", *words, settings=gateway.environment)


async def test_the_command_line_sets_lists_and_lifts_and_each_change_is_audited(gateway: Gateway, desk: Calls) -> None:
    made = await run(gateway, "set", "shop", NUMBER, "--for", "30d", "--reason", "App review of 4.2")
    assert made.code == 0, made
    assert await verifies(gateway, gateway, made.out.strip())
    [row] = (await desk.call("GET", PATH)).body["review_numbers"]
    assert (await run(gateway, "list")).out.startswith(f"{row['id']}  shop  +1…23  until ")
    assert (await run(gateway, "lift", str(row["id"]))).code == 0
    assert not await verifies(gateway, gateway, made.out.strip())
    audits = (await desk.call("GET", "/v1/operator/audits")).body["audits"]
    assert [(one["action"], one["row_id"]) for one in audits if "review" in one["action"]] == [
        ("lift_review_number", row["id"]),
        ("set_review_number", row["id"]),
    ]
    assert "fiction" in (await run(gateway, "set", "shop", "+13125560142", "--for", "1d", "--reason", "x")).sentence()


async def test_it_is_forgotten_with_the_number_and_a_month_after_its_end(gateway: Gateway, desk: Calls) -> None:
    count = "select count(*) from review_numbers"
    await fix(desk)
    assert (await run_inside("erase", NUMBER, settings=gateway.environment)).code == 0
    assert await gateway.database.pool.fetchval(count) == 0
    await fix(desk)
    await gateway.database.pool.execute("update review_numbers set until = now() - interval '31 days'")
    await Retention(gateway.database).purge()
    assert await gateway.database.pool.fetchval(count) == 0
