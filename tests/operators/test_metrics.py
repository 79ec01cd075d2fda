"""The metrics: for operators or on a port of their own, of all workers together, and nobody's number in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from service.clients.caller import Scope
from service.settings import MAX_SENDS
from tests.support.commands import environment_with
from tests.support.gateway import PHONE, Calls, Gateway, make_key, read_code, run_gateway, run_process, wrong
from tests.support.ports import free_port
from tests.support.tcp_proxy import lay_cable
from tests.support.waiting import PATIENCE

REQUESTS = 'verify_http_requests_total{route="/v1/verifications",status="202"}'
SLOTS = "verify_dispatch_slots_free"


def parse(text: str) -> dict[str, float]:
    """Read Prometheus' text format; labels in the order in which they stand."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def scrape(gateway: Gateway, url: str, key: str | None = None) -> tuple[int, str]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with gateway.session.get(f"{url}/metrics", headers=headers) as response:
        return response.status, await response.text()


async def test_on_the_public_port_they_are_for_operators_alone(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        for key, refused in ((None, 401), (gateway.key, 403), ("nonsense", 401)):
            assert (await scrape(gateway, gateway.url, key))[0] == refused
        status, text = await scrape(gateway, gateway.url, operator.key)
        assert status == 200
        assert "# TYPE verify_http_requests_total counter" in text
        reply = await operator.call("GET", "/metrics")
        assert reply.headers["content-type"].startswith("text/plain; version=")


async def test_an_operator_whose_key_is_revoked_is_shut_out_at_once(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        assert (await operator.call("GET", "/metrics")).status == 200
        await gateway.database.pool.execute("update api_keys set revoked_at = now() where scope = 'operator'")
        assert (await operator.call("GET", "/metrics")).status == 401


@pytest.mark.parametrize("scope", ["metrics", "operator"])
async def test_while_the_database_is_away_a_key_that_was_good_still_reads_them(database_url: str, scope: Scope) -> None:
    async with lay_cable(database_url) as (cable, url), run_gateway(url) as gateway:
        watch = await gateway.client("watch", scope=scope)
        assert (await watch.call("GET", "/metrics")).status == 200
        await cable.pull()
        assert (await gateway.request()).status == 503
        reply = await watch.call("GET", "/metrics")
        assert (reply.status, b"verify_http_requests_total" in reply.body) == (200, True)
        assert (await scrape(gateway, gateway.url, "vg_nobody"))[0] in {401, 503}
        cable.plug()


async def test_a_key_for_the_metrics_opens_nothing_else_and_is_shut_out_when_it_is_revoked(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        watch, verification = await gateway.client("watch", scope="metrics"), await gateway.begin()
        assert (await watch.call("GET", "/metrics")).status == 200
        refused = [
            await watch.request(), await watch.read(verification), await watch.verify(verification, "123456"),
            await watch.use_fallback(verification), await watch.cancel(verification),
        ]  # fmt: skip
        theirs = ("verifications/" + verification, "summary", "ledger", "blocks", "exemptions")
        refused += [await watch.call("GET", f"/v1/operator/{path}") for path in theirs]
        refused.append(await watch.call("POST", "/v1/operator/search", {"phone_number": PHONE}))
        assert {(reply.status, reply.body["type"].rsplit(":", 1)[1]) for reply in refused} == {(403, "wrong-scope")}
        assert (await gateway.read(verification)).body["attempts_remaining"] == 5
        await gateway.database.pool.execute("update api_keys set revoked_at = now() where scope = 'metrics'")
        assert (await watch.call("GET", "/metrics")).status == 401


@pytest.mark.parametrize("host", [None, "127.0.0.3"])
async def test_with_a_port_of_their_own_they_are_there_and_nowhere_else(database_url: str, host: str | None) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        port = gateway.environment["METRICS_PORT"] = str(free_port())
        gateway.environment |= {"METRICS_HOST": host} if host else {}
        operator = await make_key(gateway.database, "desk", scope="operator")
        async with run_process(gateway) as process:
            await process.calls.begin()
            status, text = await scrape(gateway, f"http://{host or '127.0.0.1'}:{port}")
            assert (status, parse(text)[REQUESTS]) == (200, 1)
            for key in (None, gateway.key, operator):
                assert (await scrape(gateway, process.calls.url, key))[0] == 404


async def test_what_happens_is_counted_under_labels_from_closed_lists(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        before = parse((await scrape(gateway, gateway.url, operator.key))[1])
        verification = await gateway.begin()
        code = await read_code(gateway)
        await gateway.verify(verification, wrong(code))
        await gateway.verify(verification, code)
        await gateway.call("GET", f"/v1/nothing/{PHONE}")
        text = (await scrape(gateway, gateway.url, operator.key))[1]
    after = parse(text)
    for name in (
        REQUESTS,
        'verify_http_requests_total{route="unmatched",status="404"}',
        'verify_sends_total{channel="sms",outcome="sent",provider="telnyx"}',
        'verify_guesses_total{outcome="wrong"}',
        'verify_guesses_total{outcome="right"}',
        'verify_decisions_total{client="shop",country="US"}',
        'verify_objections_total{client="shop",country="US",mode="observe",rule="no_event"}',
    ):
        assert after[name] - before.get(name, 0) == 1, name
    for secret in (PHONE[1:], code, verification, gateway.key):
        assert secret not in text


def list_pids(folder: Path, kind: str) -> set[int]:
    """List the workers that keep metrics of this kind."""
    return {int(path.stem.rpartition("_")[2]) for path in folder.glob(f"*/{kind}_*.db")}


@asynccontextmanager
async def serve_workers(gateway: Gateway, folder: Path) -> AsyncIterator[tuple[Calls, asyncio.subprocess.Process]]:
    """Run serve with two workers until both have answered."""
    port = free_port()
    log = folder / "log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "service", "serve", "--workers", "2", "--port", str(port),
            env=environment_with(gateway.environment | {"TMPDIR": str(folder)}),
            stdout=sink, stderr=sink, start_new_session=True,
        )  # fmt: skip
    try:
        calls = Calls(f"http://127.0.0.1:{port}", gateway.key, gateway.session)
        async with asyncio.timeout(PATIENCE):
            while len(list_pids(folder, "gauge_livesum")) < 2:
                await asyncio.sleep(0.1)
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if (await calls.call("GET", "/readyz")).status == 200:
                        break
                await asyncio.sleep(0.1)
        yield calls, process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        log.unlink()


async def test_two_workers_are_summed_without_those_that_died_and_leave_nothing_behind(
    database_url: str, tmp_path: Path
) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        gateway.environment["METRICS_PORT"] = str(free_port())
        metrics = f"http://127.0.0.1:{gateway.environment['METRICS_PORT']}"
        async with serve_workers(gateway, tmp_path) as (calls, process):
            sent = 0
            while len(list_pids(tmp_path, "counter")) < 2 or sent < 12:
                async with aiohttp.ClientSession() as session:  # a connection of its own: to either worker
                    await Calls(calls.url, calls.key, session).begin(f"+1312555{sent:04}")
                sent += 1
            counted = parse((await scrape(gateway, metrics))[1])
            assert counted[REQUESTS] == sent
            assert counted[SLOTS] <= 2 * MAX_SENDS
            os.kill(min(list_pids(tmp_path, "counter")), signal.SIGKILL)
            async with asyncio.timeout(PATIENCE):
                while len(list_pids(tmp_path, "gauge_livesum")) < 3:
                    await asyncio.sleep(0.2)
            counted = parse((await scrape(gateway, metrics))[1])
            assert counted[REQUESTS] == sent, "what a dead worker counted stays counted"
            assert counted[SLOTS] <= 2 * MAX_SENDS, "its slots are gone"
            process.terminate()
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0
    assert list(tmp_path.iterdir()) == []
