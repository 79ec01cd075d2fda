"""API keys: an end, a last use, a note of who made and revoked them, and what strangers' keys cost."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from uuid import uuid4

import pytest

from service.api.access.strangers import MOST, REMEMBERED, WINDOW, Strangers
from service.clients.key_admin import KeyAdmin
from service.errors import Limited
from service.vault import Vault
from tests.support.clusters import query
from tests.support.commands import Done, run_inside
from tests.support.gateway import INDEX_KEY, PHONE, SECRET_KEY, Calls, Gateway, run_gateway, run_process
from tests.support.waiting import until

VAULT = Vault([b"s" * 32], b"i" * 32)
LOOKS = "select coalesce(sum(seq_scan + idx_scan), 0) from pg_stat_user_tables where relname = 'api_keys'"


async def keys(database_url: str, *words: str) -> Done:
    settings = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, "INDEX_KEY": INDEX_KEY}
    return await run_inside("keys", *words, settings=settings)


def with_key(gateway: Gateway, key: str) -> Calls:
    return Calls(gateway.url, key, gateway.session)


async def test_a_key_with_an_end_is_good_until_then(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        book = KeyAdmin(gateway.database, VAULT)
        operator = with_key(gateway, await book.create("desk", "operator", ends_after=timedelta(seconds=2)))
        short = with_key(gateway, await book.create("shop", ends_after=timedelta(seconds=2)))
        assert (await short.request()).status == 202
        assert (await operator.call("GET", "/v1/operator/blocks")).status == 200

        async def has_ended() -> bool:
            return (await short.request()).status == 401

        await until(has_ended, "the key ends")
        assert (await operator.call("GET", "/v1/operator/blocks")).status == 401
        async with run_process(gateway) as other:
            assert (await Calls(other.calls.url, short.key, gateway.session).request()).status == 401


async def test_the_list_says_when_a_key_ends_and_ended(database_url: str) -> None:
    assert (await keys(database_url, "create", "shop", "--ends", "90d")).code == 0
    assert (await keys(database_url, "create", "shop", "--ends", "soon")).code == 2
    assert re.search(r"  ends \d{4}-\d\d-\d\d \d\d:\d\d$", (await keys(database_url, "list")).out.strip())
    await query(database_url, "update api_keys set ends_at = now() - interval '1 minute'")
    assert "  ended 20" in (await keys(database_url, "list")).out


async def test_a_key_made_while_the_gateway_runs_is_good_at_once(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        book = KeyAdmin(gateway.database, VAULT)
        for n in range(5):
            assert (await with_key(gateway, "vg_" + "x" * 43).request()).status == 401
            assert (await with_key(gateway, await book.create(f"shop-{n}")).request()).status == 202


async def test_the_keys_of_test_clients_look_different(database_url: str) -> None:
    assert (await keys(database_url, "create", "rehearsal", "--test")).out.startswith("vgt_")
    assert (await keys(database_url, "create", "shop")).out.startswith("vg_")
    listed = (await keys(database_url, "list")).out.splitlines()
    assert ["vgt_" in line for line in listed] == [True, False]


async def test_the_last_use_of_a_key_is_recorded(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.worker.loop.KEYS_EVERY", 0.1)
    used = "select last_used_at is not null from api_keys order by id"
    async with run_gateway(database_url) as gateway:
        book = KeyAdmin(gateway.database, VAULT)
        unused = await book.create("idle")
        assert unused
        await gateway.request()

        async def is_noted() -> bool:
            return [row[0] for row in await gateway.database.pool.fetch(used)] == [True, False]

        await until(is_noted, "the use of a key is written down")
    assert re.search(r"shop .* used \d{4}-", (await keys(database_url, "list")).out)


async def test_making_and_revoking_a_key_are_noted(database_url: str) -> None:
    await keys(database_url, "create", "shop")
    await keys(database_url, "revoke", "1")
    await keys(database_url, "revoke", "1")
    noted = "select string_agg(action || ' ' || row_id, ', ' order by id) from audits"
    assert await query(database_url, noted) == "create_key 1, revoke_key 1"


async def test_a_key_of_the_other_scope_is_told_which_one_is_missing(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        refused = [(await operator.request(), "verify"), (await gateway.call("GET", "/v1/operator/blocks"), "operator")]
        refused.append((await gateway.call("GET", "/metrics"), "metrics"))
    for reply, scope in refused:
        assert (reply.status, reply.body["type"].rsplit(":", 1)[1]) == (403, "wrong-scope")
        assert reply.body["detail"] == f"This call needs a key with the scope {scope}."


async def test_a_flood_of_unknown_keys_costs_a_few_looks_and_stops_no_good_key(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        await query(database_url, "select pg_stat_force_next_flush()")
        before = await query(database_url, LOOKS)
        flood = [with_key(gateway, f"vg_{n:043}").request() for n in range(300)]
        replies = await asyncio.gather(*flood)
        assert {reply.status for reply in replies} <= {401, 429}
        later = [await with_key(gateway, f"vg_{n:043}").request() for n in range(300, 310)]
        assert {reply.status for reply in later} == {429}
        assert all(0 < int(reply.headers["retry-after"]) <= WINDOW for reply in later)
        assert (await gateway.request()).status == 202
        await query(database_url, "select pg_stat_force_next_flush()")
        assert int(await query(database_url, LOOKS)) - int(before) < 60


def test_an_address_is_let_in_again_after_a_while_and_is_not_remembered_for_ever() -> None:
    now = 1000.0
    strangers = Strangers(lambda: now)
    for _ in range(MOST):
        strangers.check("203.0.113.9")
        strangers.note("203.0.113.9")
    with pytest.raises(Limited):
        strangers.check("203.0.113.9")
    strangers.check("203.0.113.10")
    now += WINDOW
    strangers.check("203.0.113.9")
    for n in range(2 * REMEMBERED):
        strangers.note(str(n))
    assert len(strangers._seen) == REMEMBERED


async def test_an_operators_key_searches_and_calls_so_often_and_others_are_not_touched(database_url: str) -> None:
    policy = '[operators]\ncalls = ["8/1m"]\nsearches = ["3/1m"]\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        operator, other = [await gateway.client(name, scope="operator") for name in ("desk", "desk")]
        search = [operator.call("POST", "/v1/operator/search", {"phone_number": PHONE}) for _ in range(10)]
        statuses = sorted(reply.status for reply in await asyncio.gather(*search))
        assert statuses == [200] * 3 + [429] * 7
        calls = [(await operator.call("GET", "/v1/operator/blocks")) for _ in range(7)]
        assert [reply.status for reply in calls] == [200] * 5 + [429] * 2
        assert int(calls[-1].headers["retry-after"]) <= 60
        assert (await other.call("POST", "/v1/operator/search", {"phone_number": PHONE})).status == 200
        async with run_process(gateway) as process:
            again = Calls(process.calls.url, operator.key, gateway.session)
            assert (await again.call("GET", "/v1/operator/blocks")).status == 429
        assert await gateway.database.pool.fetchval("select count(*) from audits where action = 'search'") == 4


async def test_operators_who_look_long_take_no_connection_from_anybody(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        async with gateway.database.pool.acquire() as line, line.transaction():
            await line.execute("lock table ledger in access exclusive mode")
            looks = [asyncio.create_task(operator.call("GET", "/v1/operator/ledger")) for _ in range(30)]
            await asyncio.sleep(0.2)
            # More of them wait for a connection than the gateway has for everybody else.
            reading = [await gateway.read(str(uuid4())) for _ in range(5)]
            assert [reply.status for reply in reading] == [404] * 5
            assert not any(look.done() and look.result().status == 200 for look in looks)
        await asyncio.gather(*looks)
