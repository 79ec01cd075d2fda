"""What an operator blocks gets nothing, until it is lifted or over; no reply tells; every change is noted."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from service.db.engine import Database
from service.fraud.histories.subjects import Subject
from service.fraud.storage.resolving import Resolution
from service.fraud.storage.resolving import RuleBlock as Raised
from service.fraud.storage.store import FraudStore
from service.fraud.storage.weighing import Weighing
from service.operators.overrides.blocks import Blocks
from service.operators.pages import MOST_LISTED
from service.vault import Vault
from tests.fraud.test_pumping import pump
from tests.support.fraud import begin_send, decide, enforced, mint, run_guarded, sends_to
from tests.support.gateway import ADDRESS, PHONE, Calls, Gateway, read_code, run_gateway

BLOCKS = "/v1/operator/blocks"
VISITOR = "Ibk1527CUFmcnjLwIs4A9"
# How long the first block lasts, and the longest, as the policy ships (s).
LENGTHS = (300.0, 43_200.0)


async def operator_of(gateway: Gateway) -> Calls:
    return await gateway.client("desk", scope="operator")


async def block(operator: Calls, **what: Any) -> dict[str, Any]:
    """Set a block of an hour."""
    reply = await operator.call("POST", BLOCKS, {"duration": "1h", "reason": "tried out"} | what)
    assert reply.status == 201, reply
    made: dict[str, Any] = reply.body
    return made


CASES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ({"phone_number": PHONE, "digits": 4}, {"phone_number": "+13125559999"}, {"phone_number": "+13125560142"}, "range"),
    ({"phone_number": PHONE, "digits": 6}, {"phone_number": "+13125990142"}, {"phone_number": "+13126550142"}, "range"),
    ({"country": "CA"}, {"phone_number": "+14165550142"}, {"phone_number": PHONE}, "country"),
    ({"ip_address": ADDRESS}, {}, {"ip_address": "203.0.113.10"}, "ip"),
    ({"ip_address": "2001:db8:1:2::3"}, {"ip_address": "2001:db8:1:2:9::"}, {"ip_address": "2001:db8:1:3::3"}, "ip"),
]


@pytest.mark.parametrize(("what", "inside", "outside", "kind"), CASES, ids=lambda case: str(case)[:30])
async def test_what_is_blocked_gets_nothing_and_its_neighbour_does(
    database_url: str, what: dict[str, Any], inside: dict[str, Any], outside: dict[str, Any], kind: str
) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        made = await block(operator, **what)
        assert (made["kind"], made["in_force"], made["level"]) == (kind, True, 0)
        assert await enforced(gateway, await gateway.begin(**inside)) == {"block"}
        assert await enforced(gateway, await gateway.begin(**outside)) == set()
        [listed] = (await operator.call("GET", BLOCKS)).body["blocks"]
        assert listed == made
        assert PHONE[2:] not in str(listed)


async def test_a_device_is_blocked_for_every_client_and_no_other_device(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        operator, other = await operator_of(gateway), await gateway.client("bank")
        await block(operator, visitor_id=VISITOR)
        cases = [(gateway, PHONE, VISITOR), (other, "+13125550143", VISITOR), (other, "+13125550144", "another")]
        for calls, phone, visitor in cases:
            event = await mint(gateway, visitor_id=visitor)
            verification = await calls.begin(phone, device_event_id=event)
            assert await enforced(gateway, verification) == ({"block"} if visitor == VISITOR else set())


async def test_a_block_that_is_lifted_or_over_holds_nobody(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        made = await block(operator, ip_address=ADDRESS)
        lifted = await operator.call("DELETE", f"{BLOCKS}/{made['id']}")
        assert (lifted.status, lifted.body["in_force"]) == (200, False)
        assert lifted.body["lifted_at"] is not None
        assert await enforced(gateway, await gateway.begin()) == set()
        for gone in (made["id"], 0, 99, 2**31, 2**70):
            assert (await operator.call("DELETE", f"{BLOCKS}/{gone}")).status == 404
        short = await block(operator, ip_address=ADDRESS)
        await gateway.database.pool.execute("update blocks set until = now() where id = $1", short["id"])
        assert await enforced(gateway, await gateway.begin("+13125550143")) == set()
        notes = await gateway.database.pool.fetch(
            "select action, row_id, reason, key_id from audits where action <> 'create_key' order by id"
        )
        assert [(note["action"], note["row_id"], note["reason"]) for note in notes] == [
            ("block", made["id"], "tried out"), ("unblock", made["id"], None), ("block", short["id"], "tried out"),
        ]  # fmt: skip
        assert made["set_by"] == f"key {notes[0]['key_id']}"


async def test_a_block_of_a_rule_that_is_lifted_is_not_raised_again_by_what_raised_it(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        operator = await operator_of(gateway)
        begun = await pump(gateway, 12)
        assert "block" in await enforced(gateway, begun[-1])
        while held := [one for one in (await operator.call("GET", BLOCKS)).body["blocks"] if one["in_force"]]:
            assert held[0]["set_by"] == "rule"
            assert (await operator.call("DELETE", f"{BLOCKS}/{held[0]['id']}")).status == 200
        for n, phone in enumerate(("+13125551036", "+13125551039", "+13125558730")):
            verification = await gateway.begin(phone, ip_address=f"198.51.100.{200 + n}")
            assert await enforced(gateway, verification) == set(), phone
            assert sends_to(gateway, phone) == 1


async def test_what_was_weighed_before_a_block_was_lifted_does_not_raise_it_again(database: Database) -> None:
    fraud_store, blocks = FraudStore(database), Blocks(database, Vault([b"s" * 32], b"i" * 32))
    subject = Subject("ip", uuid4(), 1)

    async def resolve(row: UUID) -> list[int]:
        order = Raised(subject.hash, "ip", "address", "evidence 9.0", *LENGTHS)
        await fraud_store.resolve(Resolution(row, 1, goes=False, decision=decide(allow=False), blocks=[order]))
        return [one.level for one in (await blocks.list()).rows if one.in_force]

    async def weigh() -> UUID:
        row = await begin_send(database)
        await fraud_store.weigh(Weighing(row, 1, 1, row, None, [subject]))
        return row

    assert await resolve(await weigh()) == [0]
    on_its_way = await weigh()
    await blocks.lift(1, (await blocks.list()).rows[0].id)
    assert await resolve(on_its_way) == []
    assert await resolve(await weigh()) == [1]


async def test_a_block_doubles_until_it_is_as_long_as_it_has_to_be(database: Database) -> None:
    fraud_store, blocks = FraudStore(database), Blocks(database, Vault([b"s" * 32], b"i" * 32))
    subject = Subject("block_10k", uuid4(), 1)
    lasted = []
    for least in (0, 0, 2_000, 0, 86_400):
        row = await begin_send(database)
        await fraud_store.weigh(Weighing(row, 1, 1, row, None, [subject]))
        order = Raised(subject.hash, "range", "US block_10k", "evidence 9.0", *LENGTHS, least)
        await fraud_store.resolve(Resolution(row, 1, goes=False, decision=decide(allow=False), blocks=[order]))
        made = max((await blocks.list()).rows, key=lambda one: one.id)
        lasted.append((made.level, (made.until - made.began_at).total_seconds() / 60))
        await database.pool.execute("update blocks set until = clock_timestamp() where id = $1", made.id)
    assert lasted == [(0, 5), (1, 10), (3, 40), (4, 80), (8, 720)]


async def test_a_block_of_an_operator_holds_for_the_known_beside_a_longer_one_of_a_rule(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator, blocks = await operator_of(gateway), Blocks(gateway.database, Vault([b"s" * 32], b"i" * 32))
        assert (await gateway.verify(await gateway.begin(), await read_code(gateway))).body["verified"]
        await gateway.database.pool.execute(
            "insert into blocks (subject, kind, label, reason, level, began_at, until, set_by) "
            "values ($1, 'ip', 'address', 'evidence 9.0', 8, now(), now() + interval '12 hours', 'rule')",
            blocks.address(ADDRESS).subject,
        )
        assert await enforced(gateway, await gateway.begin("+13125559876")) == {"block"}
        assert await enforced(gateway, await gateway.begin()) == set()
        made = await block(operator, ip_address=ADDRESS)
        assert await enforced(gateway, await gateway.begin()) == {"block"}
        await operator.call("DELETE", f"{BLOCKS}/{made['id']}")
        assert await enforced(gateway, await gateway.begin("+13125559875")) == {"block"}


async def test_what_an_operator_blocked_is_listed_however_much_rules_block(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        made = await block(operator, country="US")
        await gateway.database.pool.execute(
            "insert into blocks (subject, kind, label, reason, level, began_at, until, set_by) "
            "select gen_random_uuid(), 'ip', 'address', 'evidence 9.0', 0, now(), now() + interval '1 hour', 'rule' "
            "from generate_series(1, $1::int)",
            MOST_LISTED,
        )
        listed = (await operator.call("GET", BLOCKS)).body["blocks"]
        assert len(listed) == MOST_LISTED
        assert listed[0] == made


async def test_a_reply_to_the_blocked_is_that_of_anybody(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        await block(operator, country="US")
        reply = await gateway.request()
        await enforced(gateway, reply.body["id"])
        read = await gateway.read(reply.body["id"])
        assert (reply.status, read.body["status"], read.body["attempts_remaining"]) == (202, "pending", 5)
        with pytest.raises(AssertionError, match="something is sent"):
            await read_code(gateway, patience=0.2)


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["phone_number", "country", "ip_address", "visitor_id"]),
    ({"country": "US", "ip_address": ADDRESS}, ["country", "ip_address"]),
    ({"phone_number": PHONE}, ["digits"]),
    ({"country": "US", "digits": 4}, ["digits"]),
    ({"phone_number": PHONE, "digits": 3}, ["digits"]),
    ({"phone_number": "+2906123", "digits": 6}, ["digits"]),
    ({"country": "XX"}, ["country"]),
    ({"ip_address": "203.0.113"}, ["ip_address"]),
    ({"country": "US", "duration": "31d"}, ["duration"]),
    ({"country": "US", "duration": "0m"}, ["duration"]),
    ({"country": "US", "reason": "asked by +1 312 555 0142"}, ["reason"]),
    ({"country": "US", "reason": "asked by 312 555 0142"}, ["reason"]),
    ({"country": "US", "reason": "asked by (312) 555-0142"}, ["reason"]),
    ({"country": "US", "reason": "asked by 312 / 555 01 42"}, ["reason"]),
    ({"country": "US", "reason": "asked by 312\u2011555\u20110142"}, ["reason"]),
]


async def test_what_cannot_be_blocked_is_named_and_nothing_is_set(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        for body, fields in WRONG:
            reply = await operator.call("POST", BLOCKS, {"duration": "1h", "reason": "since 2026-01-31 12:00"} | body)
            assert (reply.status, reply.body.get("fields")) == (422, fields), body
        assert (await operator.call("GET", BLOCKS)).body == {"blocks": [], "next_cursor": None}
        await block(operator, country="US", reason="since 2026-01-31 12:00, 12:30, 13:00: 4711 of 5000")
