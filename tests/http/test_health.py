"""/healthz and /readyz: whether the process answers, and whether it can serve; nothing of what it serves."""

from __future__ import annotations

import asyncio
import time

from tests.conftest import command
from tests.support.gateway import Calls, Reply, run_gateway
from tests.support.tcp_proxy import lay_cable
from tests.support.waiting import PATIENCE
from tests.support.wire import assert_problem, speak, write_request


async def wait_for(calls: Calls, status: int) -> Reply:
    """Ask for readiness until it is as expected."""
    async with asyncio.timeout(PATIENCE):
        while (reply := await calls.call("GET", "/readyz")).status != status:
            await asyncio.sleep(0.1)
    return reply


async def test_it_is_ready_while_the_database_answers_and_again_when_it_comes_back(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, url), run_gateway(url) as gateway:
        assert (await gateway.call("GET", "/readyz")).body == {"status": "ok"}
        await cable.pull()
        away = await wait_for(gateway, 503)
        assert int(away.headers["retry-after"]) >= 1
        assert away.body["type"].endswith(":unavailable")
        assert (await gateway.call("GET", "/healthz")).status == 200
        refused = await gateway.request()
        assert (refused.status, int(refused.headers["retry-after"]) >= 1) == (503, True)
        cable.plug()
        await wait_for(gateway, 200)
        assert (await gateway.request()).status == 202


async def test_a_database_that_hangs_is_not_waited_for_long(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, url), run_gateway(url) as gateway:
        assert (await gateway.call("GET", "/readyz")).status == 200
        cable.freeze()
        begun = time.monotonic()
        assert (await gateway.call("GET", "/readyz")).status == 503
        assert time.monotonic() - begun < 8
        assert (await gateway.call("GET", "/healthz")).status == 200
        cable.thaw()
        await wait_for(gateway, 200)


async def test_a_schema_that_is_not_migrated_is_not_ready(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        await command(database_url, "alter table alembic_version rename to elsewhere")
        assert_problem(await speak(gateway.url, write_request("GET", "/readyz")), 503, "unavailable")
        await command(database_url, "alter table elsewhere rename to alembic_version")
        assert (await gateway.call("GET", "/readyz")).status == 200


async def test_health_says_nothing_of_what_is_served(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        before = [await gateway.call("GET", path) for path in ("/healthz", "/readyz")]
        await gateway.begin()
        after = [await gateway.call("GET", path) for path in ("/healthz", "/readyz")]
    assert [reply.body for reply in before] == [reply.body for reply in after] == [{"status": "ok"}] * 2


async def test_a_probe_may_ask_for_the_head_alone(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, url), run_gateway(url) as gateway:
        for path in ("/healthz", "/readyz"):
            whole, head = [await speak(gateway.url, write_request(method, path)) for method in ("GET", "HEAD")]
            assert (head.status, head.body) == (200, b"")
            named = [name for name in whole.headers if name not in ("date", "x-request-id")]
            assert {name: head.headers[name] for name in named} == {name: whole.headers[name] for name in named}
        await cable.pull()
        async with asyncio.timeout(PATIENCE):
            while (away := await speak(gateway.url, write_request("HEAD", "/readyz"))).status != 503:
                await asyncio.sleep(0.1)
        assert away.body == b""
