"""An exempted number is free of what an operator waived, of nothing else, and for an hour at most."""

from __future__ import annotations

from typing import Any

from service.vault import Vault
from tests.support.fraud import enforced, findings_of, mint, run_guarded
from tests.support.gateway import OTHER_PHONE, PHONE, Calls, Gateway, read_code, run_gateway, wrong

EXEMPTIONS = "/v1/operator/exemptions"
TIGHT = '[limits]\nphone = ["1/1h"]\nip = ["1000/1h"]\nphone_everywhere = ["1/1h"]\ndevice = ["1/24h"]\n'
WIDE = '[limits]\nphone = ["1000/1h"]\nip = ["1000/1h"]\n'
LOCKED = WIDE + '[lockout]\ncodes_per_phone = "2/24h"\n'
ELSEWHERE = "+447400123456"


async def operator_of(gateway: Gateway) -> Calls:
    return await gateway.client("desk", scope="operator")


async def exempt(operator: Calls, phone: str = PHONE, **what: Any) -> dict[str, Any]:
    """Exempt a number for an hour."""
    body = {"phone_number": phone, "duration": "1h", "reason": "called us"} | what
    reply = await operator.call("POST", EXEMPTIONS, body)
    assert reply.status == 201, reply
    made: dict[str, Any] = reply.body
    return made


async def test_rules_that_are_waived_may_object_and_suppress_nothing_those_that_need_no_call_too(
    database_url: str,
) -> None:
    async with run_gateway(
        database_url, policy='[countries]\nallow = ["US"]\n[rules.no_event]\nmode = "enforce"\n'
    ) as gateway:
        operator = await operator_of(gateway)
        assert await enforced(gateway, await gateway.begin(ELSEWHERE)) == {"country"}
        await exempt(operator, ELSEWHERE, rules=["country"])
        assert await enforced(gateway, await gateway.begin(ELSEWHERE)) == {"no_event"}
        await exempt(operator, ELSEWHERE, rules=["no_event"])
        found = await findings_of(gateway, await gateway.begin(ELSEWHERE))
        assert found == {"country": "lifted", "no_event": "lifted"}
        await read_code(gateway, ELSEWHERE)
        assert await enforced(gateway, await gateway.begin("+447400123457")) == {"country"}


async def test_a_block_is_waived_for_one_number_of_a_range_and_holds_for_the_others(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        body = {"phone_number": PHONE, "digits": 4, "duration": "1h", "reason": "tried"}
        assert (await operator.call("POST", "/v1/operator/blocks", body)).status == 201
        await exempt(operator, rules=["block"])
        assert await findings_of(gateway, await gateway.begin()) == {"block": "lifted", "no_event": "observe"}
        assert await enforced(gateway, await gateway.begin(OTHER_PHONE)) == {"block"}


async def test_limits_that_are_waived_refuse_nothing_in_any_process_and_still_count(database_url: str) -> None:
    async with run_gateway(database_url, policy=TIGHT) as gateway:
        operator = await operator_of(gateway)
        await gateway.begin()
        assert (await gateway.request()).status == 429
        made = await exempt(operator, limits=True)
        again = await gateway.begin()
        assert await enforced(gateway, again) == set(), "phone_everywhere is a limit too"
        assert (await gateway.request(OTHER_PHONE)).status == 202
        assert (await gateway.request(OTHER_PHONE)).status == 429
        assert (await operator.call("DELETE", f"{EXEMPTIONS}/{made['id']}")).body["in_force"] is False
        refused = await gateway.request()
        assert (refused.status, int(refused.headers["retry-after"]) > 3500) == (429, True)


async def test_a_fallback_of_what_was_requested_under_an_exemption_is_not_limited(database_url: str) -> None:
    policy = TIGHT.replace("1000/1h", "1/1h") + '[fallback]\nafter = "1s"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        operator = await operator_of(gateway)
        limited = await gateway.begin(OTHER_PHONE)
        await exempt(operator, limits=True)
        free = await gateway.begin()
        await gateway.database.pool.execute("update verifications set pressed_at = pressed_at - interval '2 s'")
        assert (await gateway.use_fallback(limited)).status == 429
        assert (await gateway.use_fallback(free)).status == 202
        assert await findings_of(gateway, free, 2) == {"no_event": "observe"}


async def test_a_device_that_has_had_its_sends_may_verify_an_exempted_number(database_url: str) -> None:
    async with run_guarded(database_url, policy='[rules.device]\nmode = "enforce"\n') as gateway:
        operator = await operator_of(gateway)
        for n in range(5):
            event = await mint(gateway, visitor_id="one")
            assert await enforced(gateway, await gateway.begin(f"+1{212 + n}5550142", device_event_id=event)) == set()
        event = await mint(gateway, visitor_id="one")
        assert await enforced(gateway, await gateway.begin(PHONE, device_event_id=event)) == {"device"}
        await exempt(operator, rules=["device"])
        event = await mint(gateway, visitor_id="one")
        assert await enforced(gateway, await gateway.begin(PHONE, device_event_id=event)) == set()


async def test_a_number_that_is_locked_out_gets_five_guesses_at_a_new_code_and_no_more(database_url: str) -> None:
    async with run_gateway(database_url, policy=LOCKED) as gateway:
        operator, first = await operator_of(gateway), await gateway.begin()
        code = await read_code(gateway)
        for _ in range(2):
            await gateway.verify(first, wrong(code))
        assert (await gateway.verify(first, code)).body["verification_status"] == "locked"
        assert (await gateway.request()).status == 429
        await exempt(operator, lockouts=True)
        assert (await gateway.verify(first, code)).status == 409, "what has ended stays so"
        second = await gateway.begin()
        await findings_of(gateway, second)
        code = await read_code(gateway)
        left = [(await gateway.verify(second, wrong(code))).body["attempts_remaining"] for _ in range(4)]
        assert left == [4, 3, 2, 1]
        right = await gateway.verify(second, code)
        assert right.body["verified"] is True
        third = await gateway.begin()
        await findings_of(gateway, third)
        code = await read_code(gateway)
        for _ in range(4):
            await gateway.verify(third, wrong(code))
        last = await gateway.verify(third, wrong(code))
        assert (last.body["status"], last.body["attempts_remaining"]) == ("locked", 0)


async def test_an_exemption_that_is_over_waives_nothing_and_one_of_limits_no_lockout(database_url: str) -> None:
    async with run_gateway(database_url, policy=LOCKED) as gateway:
        operator, first = await operator_of(gateway), await gateway.begin()
        code = await read_code(gateway)
        for _ in range(2):
            await gateway.verify(first, wrong(code))
        await exempt(operator, limits=True)
        assert (await gateway.request()).status == 429
        await exempt(operator, lockouts=True)
        assert (await gateway.request()).status == 202
        await gateway.database.pool.execute("update exemptions set until = now()")
        assert (await gateway.request()).status == 429


async def test_exemptions_are_listed_without_their_number_and_every_change_is_noted(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        made = await exempt(operator, rules=["range", "block", "range"], lockouts=True, duration="30m")
        assert (made["number"], made["rules"], made["limits"], made["lockouts"]) == (
            "+1…42",
            ["block", "range"],
            False,
            True,
        )
        assert (await operator.call("GET", EXEMPTIONS)).body == {"exemptions": [made], "next_cursor": None}
        for status in (200, 404):
            assert (await operator.call("DELETE", f"{EXEMPTIONS}/{made['id']}")).status == status
        [listed] = (await operator.call("GET", EXEMPTIONS)).body["exemptions"]
        assert listed["in_force"] is False
        notes = await gateway.database.pool.fetch(
            "select action, subject, row_id, reason from audits where action <> 'create_key' order by id"
        )
        subject = Vault([b"s" * 32], b"i" * 32).hash(b"phone", PHONE)
        assert [tuple(note) for note in notes] == [
            ("exempt", subject, made["id"], "called us"), ("unexempt", subject, made["id"], None),
        ]  # fmt: skip


async def test_what_cannot_be_exempted_is_named(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({}, ["rules", "limits", "lockouts"]),
            ({"rules": ["nonsense"]}, ["rules"]),
            ({"limits": True, "duration": "61m"}, ["duration"]),
            ({"limits": True, "duration": "1d"}, ["duration"]),
            ({"limits": True, "phone_number": "+1"}, ["phone_number"]),
            ({"limits": True, "reason": f"ask {PHONE}"}, ["reason"]),
        ]
        for what, fields in cases:
            body = {"phone_number": PHONE, "duration": "1h", "reason": "called us"} | what
            reply = await operator.call("POST", EXEMPTIONS, body)
            assert (reply.status, reply.body["fields"]) == (422, fields), what
        assert await gateway.database.pool.fetchval("select count(*) from exemptions") == 0
