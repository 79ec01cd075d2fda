"""A number or range that operators call safe is not stopped by rules, for a while; limits hold for it as for others."""

from __future__ import annotations

from typing import Any

from service.db.engine import Database
from tests.support.commands import run_inside
from tests.support.fraud import enforced, findings_of
from tests.support.gateway import INDEX_KEY, OTHER_PHONE, PHONE, SECRET_KEY, Calls, Gateway, read_code, run_gateway
from tests.support.waiting import until

EXEMPTIONS = "/v1/operator/exemptions"
STRICT = (
    '[limits]\nip = ["1000/1h"]\nphone = ["1/1h"]\nphone_everywhere = ["2/1h"]\n'
    '[countries]\nallow = ["US"]\n[rules.no_event]\nmode = "enforce"\n'
)
BRITISH, BEYOND, PREFIX = "+447465123456", "+447466123456", "+44 7465"


async def call_safe(gateway: Gateway, **whom: Any) -> dict[str, Any]:
    body = {"duration": "30d", "reason": "our own phones", "safe": True} | whom
    operator = await gateway.client("desk", scope="operator")
    reply = await operator.call("POST", EXEMPTIONS, body)
    assert reply.status == 201, reply
    made: dict[str, Any] = reply.body
    return made


async def test_rules_stop_nothing_of_a_safe_range_and_of_numbers_beyond_it_everything(database_url: str) -> None:
    async with run_gateway(database_url, policy=STRICT) as gateway:
        assert await enforced(gateway, await gateway.begin(BRITISH.replace("6", "7", 1))) == {"country"}
        made = await call_safe(gateway, prefix=PREFIX)
        assert (made["kind"], made["number"], made["safe"], made["rules"]) == ("range", "+447465… (6 digits)", True, [])
        found = await findings_of(gateway, await gateway.begin(BRITISH))
        assert found == {"country": "lifted", "no_event": "lifted"}
        await read_code(gateway, BRITISH)
        assert await enforced(gateway, await gateway.begin(BEYOND)) == {"country"}


async def test_limits_hold_for_what_is_safe_those_of_rules_too(database_url: str) -> None:
    async with run_gateway(database_url, policy=STRICT) as gateway:
        bank, third = await gateway.client("bank"), await gateway.client("third")
        await call_safe(gateway, phone_number=PHONE)
        assert await enforced(gateway, await gateway.begin()) == set()
        assert (await gateway.request()).status == 429
        assert await enforced(gateway, await bank.begin()) == set()
        assert await enforced(gateway, await third.begin()) == {"phone_everywhere"}
        assert await enforced(gateway, await gateway.begin(OTHER_PHONE)) == {"no_event"}


async def test_a_block_by_an_operator_or_a_rule_does_not_stop_what_is_safe(database_url: str) -> None:
    async with run_gateway(database_url, policy=STRICT.replace("enforce", "observe")) as gateway:
        operator = await gateway.client("ops", scope="operator")
        body = {"country": "US", "duration": "1h", "reason": "tried"}
        assert (await operator.call("POST", "/v1/operator/blocks", body)).status == 201
        await call_safe(gateway, prefix="+13125550")
        assert await enforced(gateway, await gateway.begin()) == set()
        assert await enforced(gateway, await gateway.begin("+12125550142")) == {"block"}


async def test_a_range_is_safe_until_its_end_or_until_it_is_lifted(database_url: str, database: Database) -> None:
    async with run_gateway(database_url, policy=STRICT) as gateway:
        operator = await gateway.client("ops", scope="operator")
        made = await call_safe(gateway, prefix="+1312555")
        assert await enforced(gateway, await gateway.begin()) == set()
        assert (await operator.call("DELETE", f"{EXEMPTIONS}/{made['id']}")).body["in_force"] is False
        assert await enforced(gateway, await gateway.begin(OTHER_PHONE)) == {"no_event"}
        await call_safe(gateway, prefix="+1312555", duration="1h")
        assert await enforced(gateway, await gateway.begin("+13125550145")) == set()
        await database.pool.execute("update exemptions set until = now()")
        numbers = iter(range(100, 1000))

        async def is_over() -> bool:
            return await enforced(gateway, await gateway.begin(f"+13125551{next(numbers)}")) == {"no_event"}

        await until(is_over, "it is over in every process")


async def test_the_command_line_sets_lists_and_lifts_and_each_change_is_audited(
    database_url: str, database: Database
) -> None:
    settings = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, "INDEX_KEY": INDEX_KEY}

    async def run(*words: str) -> str:
        done = await run_inside("exemptions", *words, settings=settings)
        assert (done.code, done.err) == (0, ""), done
        return done.out

    why = ("--for", "30d", "--reason", "our own")
    assert "+447465… (8 digits)  every rule  until " in await run("set", "--prefix", "+4474651 2", *why)
    assert "+1…42  every rule" in await run("set", "--number", PHONE, *why)
    assert "GB  budget_unconverted" in await run("set", "--country", "GB", *why)
    assert "+1…43  block, range" in await run(
        "set", "--number", OTHER_PHONE, "--rule", "range", "--rule", "block", "--for", "1h", "--reason", "called us"
    )
    told = await run_inside("exemptions", "set", "--country", "GB", "--for", "1d", "--reason", PHONE, settings=settings)
    assert "looks like somebody's number" in told.sentence()
    assert len((await run("list")).splitlines()) == 4
    assert await run("lift", "1") == "Exemption 1 is lifted.\n"
    assert "1  +447465… (8 digits)  every rule  ended " in await run("list")
    again = await run_inside("exemptions", "lift", "1", settings=settings)
    assert "no exemption 1" in again.sentence()
    notes = await database.pool.fetch("select action, key_id, row_id, reason from audits order by id")
    assert [tuple(note) for note in notes] == [
        ("exempt", None, 1, "our own"),
        ("exempt", None, 2, "our own"),
        ("exempt", None, 3, "our own"),
        ("exempt", None, 4, "called us"),
        ("unexempt", None, 1, None),
    ]
    async with run_gateway(database_url, policy=STRICT) as gateway:
        assert await enforced(gateway, await gateway.begin()) == set()


MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["phone_number", "prefix", "country"]),
    ({"phone_number": PHONE, "country": "US"}, ["phone_number", "country"]),
    ({"prefix": "+44746"}, ["prefix"]),
    ({"prefix": "+1312"}, ["prefix"]),
    ({"prefix": "447465"}, ["prefix"]),
    ({"prefix": "+9997465"}, ["prefix"]),
    ({"prefix": "+4474651234567890"}, ["prefix"]),
    ({"prefix": "+447465", "limits": True}, ["limits"]),
    ({"prefix": "+447465", "duration": "91d"}, ["duration"]),
    ({"phone_number": PHONE, "limits": True}, ["duration"]),
    ({"phone_number": PHONE, "safe": False, "rules": ["range"]}, ["duration"]),
    ({"country": "GB"}, ["rules"]),
    ({"country": "GB", "safe": False, "rules": ["range"]}, ["rules"]),
    ({"country": "XX", "safe": False, "rules": ["budget_unconverted"]}, ["country"]),
]


async def test_what_cannot_be_safe_is_named(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator: Calls = await gateway.client("desk", scope="operator")
        for what, fields in MISTAKES:
            body = {"duration": "2h", "reason": "mistaken", "safe": True} | what
            reply = await operator.call("POST", EXEMPTIONS, body)
            assert (reply.status, reply.body.get("fields")) == (422, fields), what
        assert await gateway.database.pool.fetchval("select count(*) from exemptions") == 0
