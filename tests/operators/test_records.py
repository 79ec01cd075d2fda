"""Operators read audits, alerts, keys and clients by the API, page by page, and nothing is left out or shown twice."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.gateway import ADDRESS, PHONE, Calls, Gateway, run_gateway

OPERATOR = "/v1/operator"
LISTS = ("blocks", "exemptions", "audits", "alerts", "keys", "clients", "ledger")


async def operator_of(gateway: Gateway) -> Calls:
    return await gateway.client("desk", scope="operator")


async def read_pages(operator: Calls, name: str, limit: int, rows: str | None = None) -> list[list[dict[str, Any]]]:
    """Read a list to its end, a page at a time."""
    pages, cursor = [], ""
    while True:
        reply = await operator.call("GET", f"{OPERATOR}/{name}?limit={limit}{cursor}")
        assert reply.status == 200, reply
        pages.append(reply.body[rows or name])
        if reply.body["next_cursor"] is None:
            return pages
        cursor = f"&cursor={reply.body['next_cursor']}"


async def set_block(operator: Calls, address: str = ADDRESS) -> int:
    body = {"ip_address": address, "duration": "1h", "reason": "tried out"}
    return int((await operator.call("POST", f"{OPERATOR}/blocks", body)).body["id"])


async def test_every_act_is_in_the_audits_with_who_what_and_why_and_without_a_number(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        block = await set_block(operator)
        await operator.call("DELETE", f"{OPERATOR}/blocks/{block}")
        order = {"phone_number": PHONE, "duration": "30m", "reason": "called us", "limits": True}
        exemption = (await operator.call("POST", f"{OPERATOR}/exemptions", order)).body["id"]
        await operator.call("POST", f"{OPERATOR}/search", {"phone_number": PHONE})
        made = (await operator.call("POST", f"{OPERATOR}/keys", {"client": "bank"})).body["id"]
        await operator.call("DELETE", f"{OPERATOR}/keys/{made}")
        audits = (await operator.call("GET", f"{OPERATOR}/audits")).body["audits"]
        acts = [(one["action"], one["row_id"], one["reason"], one["client"]) for one in audits]
        assert acts[:6] == [
            ("revoke_key", made, None, "desk"),
            ("create_key", made, None, "desk"),
            ("search", None, None, "desk"),
            ("exempt", exemption, "called us", "desk"),
            ("unblock", block, None, "desk"),
            ("block", block, "tried out", "desk"),
        ]
        assert {one["client"] for one in audits[6:]} == {None}, "the command line has no key"
        assert PHONE[2:] not in str(audits)


async def test_the_pages_of_a_list_together_are_the_list(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        for n in range(5):
            await set_block(operator, f"198.51.100.{n}")
            await gateway.client(f"client-{n}")
        await gateway.database.pool.execute(
            "insert into alerts (kind, text, began_at, seen_at, ended_at) "
            "select 'block US ' || n, 'text', now(), now(), case when n > 2 then now() end from generate_series(1, 5) n"
        )
        for name in ("blocks", "audits", "alerts", "keys", "clients"):
            [whole] = await read_pages(operator, name, 500)
            assert len(whole) >= 5
            for limit in (1, 2, len(whole)):
                pages = await read_pages(operator, name, limit)
                assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
                assert [row for page in pages for row in page] == whole, (name, limit)


async def test_alerts_are_listed_open_and_past_by_kind(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        await gateway.database.pool.execute(
            "insert into alerts (kind, text, began_at, seen_at, ended_at) values "
            "('telnyx', 'Telnyx takes nothing.', now(), now(), now()), "
            "('block US block_10k', 'A rule has blocked it.', now(), now(), null)"
        )
        both = (await operator.call("GET", f"{OPERATOR}/alerts")).body["alerts"]
        assert [(one["kind"], one["about"]) for one in both] == [("block", "US block_10k"), ("telnyx", None)]
        for wanted, kinds in (("true", ["block"]), ("false", ["telnyx"])):
            found = (await operator.call("GET", f"{OPERATOR}/alerts?open={wanted}")).body["alerts"]
            assert [one["kind"] for one in found] == kinds
        assert (await operator.call("GET", f"{OPERATOR}/alerts?open=yes")).body["fields"] == ["open"]


async def test_a_block_that_ends_between_two_pages_is_on_one_of_them(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        blocks = [await set_block(operator, f"198.51.100.{n}") for n in range(4)]
        first = (await operator.call("GET", f"{OPERATOR}/blocks?limit=2")).body
        for lifted in (blocks[0], blocks[3]):
            await operator.call("DELETE", f"{OPERATOR}/blocks/{lifted}")
        await set_block(operator, "198.51.100.9")
        second = (await operator.call("GET", f"{OPERATOR}/blocks?limit=9&cursor={first['next_cursor']}")).body
        assert [one["id"] for one in first["blocks"]] == [blocks[3], blocks[2]]
        assert [(one["id"], one["in_force"]) for one in second["blocks"]] == [(blocks[1], True), (blocks[0], False)]


async def test_a_numbers_verifications_are_paged_too(database_url: str) -> None:
    async with run_gateway(database_url, policy='[limits]\nphone = ["9/1h"]\nip = ["9/1h"]\n') as gateway:
        operator = await operator_of(gateway)
        begun = [await gateway.begin() for _ in range(3)]
        # Two of one instant: their ids decide.
        await gateway.database.pool.execute(
            "update verifications set created_at = '2026-01-31' where id = any ($1)", begun[:2]
        )
        found, cursor = [], None
        for _ in range(3):
            body = {"phone_number": PHONE, "limit": 1} | ({"cursor": cursor} if cursor else {})
            reply = await operator.call("POST", f"{OPERATOR}/search", body)
            found += [one["id"] for one in reply.body["verifications"]]
            cursor = reply.body["next_cursor"]
        assert (found, cursor) == ([begun[2], begun[1], begun[0]], None)


async def test_the_ledger_is_paged_and_its_sums_are_decimals_of_the_whole_window(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        await gateway.database.pool.execute(
            "insert into ledger (day, client_id, country, channel, sends, spent, stopped, saved) "
            "select (now() at time zone 'UTC')::date - n, c.id, country, 'sms', 14, $1, 1, 0.1::float8 + 0.2 "
            "from clients c, generate_series(0, 1) n, unnest(array['US', 'CA', '']) country where c.name = 'shop'",
            sum([0.008] * 14),
        )
        assert sum([0.008] * 14) != 0.112
        async with gateway.session.get(
            f"{gateway.url}{OPERATOR}/ledger?window=2d&limit=2", headers={"authorization": f"Bearer {operator.key}"}
        ) as response:
            text = await response.text()
        assert '"spent":0.672,"saved":1.8,' in text, "of all six lines"
        assert '"spent":0.112,"suppressed":' in text or '"spent":0.112,"stopped":' in text
        pages = await read_pages(operator, "ledger", 4, "lines")
        assert [len(page) for page in pages] == [4, 2]
        lines = [(line["day"], line["country"]) for page in pages for line in page]
        assert lines == sorted(set(lines), key=lambda line: (-datetime.fromisoformat(line[0]).timestamp(), line[1]))
        assert len(lines) == 6
        beyond = (await operator.call("GET", f"{OPERATOR}/ledger?window=2d&limit=6")).body
        assert beyond["next_cursor"] is None
        cursor = encode('["1999-01-01","a","b","c"]')
        empty = (await operator.call("GET", f"{OPERATOR}/ledger?cursor={cursor}")).body
        assert (empty["lines"], empty["spent"]) == ([], 0.672)


def encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


MADE_UP = [
    "x", "%2B", "", "WzQyXQ==", "a&cursor=b",
    *(encode(text) for text in (
        "", "[]", "[-1]", "[9223372036854775808]", "[1.5]", '["1"]', "[1,2]", "{}", "[null]", "[1,5,1]", "[-1,1,1]",
        "[9e30,1,1]", '["2026-01-31","a\\u0000","b","c"]', '["2026-13-31","a","b","c"]', '["2026-01-31","a","b"]',
    )),
]  # fmt: skip


async def test_a_cursor_that_was_made_up_and_a_limit_that_is_none_are_named(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        for name in LISTS:
            for cursor in MADE_UP:
                reply = await operator.call("GET", f"{OPERATOR}/{name}?cursor={cursor}")
                assert (reply.status, reply.body.get("fields")) == (422, ["cursor"]), (name, cursor)
        for name in LISTS:
            for limit in ("0", "501", "-1", "x", "", "1&limit=2", "1e2", "%D9%A1"):
                reply = await operator.call("GET", f"{OPERATOR}/{name}?limit={limit}")
                assert (reply.status, reply.body.get("fields")) == (422, ["limit"]), (name, limit)


async def test_a_key_made_by_the_api_is_good_at_once_shown_once_and_revoked_at_once(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        made = await operator.call("POST", f"{OPERATOR}/keys", {"client": "bank", "duration": "90d"})
        assert made.status == 201
        bank = Calls(gateway.url, made.body["key"], gateway.session)
        assert (await bank.request()).status == 202
        [listed] = [one for one in (await read_pages(operator, "keys", 500))[0] if one["id"] == made.body["id"]]
        assert (listed["client"], listed["scope"], listed["test"], listed["revoked_at"]) == (
            "bank",
            "verify",
            False,
            None,
        )
        assert (datetime.fromisoformat(listed["ends_at"]) - datetime.now(UTC)).days in (89, 90)
        assert made.body["key"].startswith(listed["hint"])
        assert made.body["key"] not in str(listed)
        for status in (200, 404):
            assert (await operator.call("DELETE", f"{OPERATOR}/keys/{made.body['id']}")).status == status
        assert (await bank.request("+13125550177")).status == 401
        clients = (await read_pages(operator, "clients", 500))[0]
        assert {one["name"]: one["keys"] for one in clients} == {"bank": 0, "desk": 1, "shop": 1}


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ({}, ["client"]), ({"client": "Shop"}, ["client"]), ({"client": ""}, ["client"]),
        ({"client": "shop", "test": True}, ["test"]), ({"client": "new", "scope": "root"}, ["scope"]),
        ({"client": "new", "scope": "operator"}, ["scope"]),
        ({"client": "new", "duration": "3651d"}, ["duration"]), ({"client": "new", "key": "vg_mine"}, ["key"]),
    ],
    ids=str,
)  # fmt: skip
async def test_a_key_that_cannot_be_made_is_named_and_nothing_is_made(
    database_url: str, what: dict[str, Any], fields: list[str]
) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        reply = await operator.call("POST", f"{OPERATOR}/keys", what)
        assert (reply.status, reply.body["fields"]) == (422, fields)
        assert await gateway.database.pool.fetchval("select count(*) from api_keys") == 2
        assert (await operator.call("DELETE", f"{OPERATOR}/keys/{2**31}")).status == 404
