"""serve and dispatch: what keeps them from starting is one clear sentence; what ends them ends them cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.settings import Settings
from tests.conftest import command
from tests.support.certificates import make_certificate
from tests.support.commands import Done, run, start
from tests.support.gateway import Gateway, run_gateway, run_process
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

STARTS = ["serve", "dispatch"]


async def serve(gateway: Gateway, *words: str, **more: str) -> Done:
    """Run what is expected to refuse."""
    return await run(*words, settings=gateway.environment | more)


@pytest.mark.parametrize("name", STARTS)
async def test_settings_that_are_missing_are_named_at_once(name: str) -> None:
    said = (await run(name)).sentence()
    for setting, field in Settings.model_fields.items():
        assert (f"{setting.upper()}: is missing" in said) == field.is_required()


async def test_a_database_that_is_not_there_is_named_without_its_password(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        for name, place in (("serve", "127.0.0.1:1"), ("dispatch", "no.invalid")):
            url = f"postgresql+asyncpg://user:hidden@{place}/name"
            said = (await serve(gateway, name, DATABASE_URL=url)).sentence()
            assert "database" in said
            assert "hidden" not in said
            assert len(said.splitlines()) == 1


async def test_a_dispatcher_that_may_send_nothing_is_refused(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        assert (await serve(gateway, "dispatch", MAX_SENDS="0")).sentence().startswith("MAX_SENDS is 0")


async def test_an_outdated_schema_is_refused_with_what_to_do(database_url: str, empty_database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        said = (await serve(gateway, "serve", DATABASE_URL=empty_database_url)).sentence()
        assert said.endswith("run verify-gateway migrate, then start again.")
        await command(database_url, "delete from alembic_version")
        assert (await serve(gateway, "dispatch")).sentence() == said


async def test_a_broken_policy_is_refused_with_every_mistake(database_url: str, tmp_path: Path) -> None:
    broken = tmp_path / "policy.toml"
    broken.write_text('[limits]\nphone = "many"\n[fallback]\nmode = "of"\n')
    async with run_gateway(database_url, serve=False) as gateway:
        said = (await serve(gateway, "serve", POLICY_FILE=str(broken))).sentence()
        assert "line 2: limits.phone" in said
        assert "line 4: fallback.mode" in said
        gone = (await serve(gateway, "dispatch", POLICY_FILE=str(tmp_path / "gone.toml"))).sentence()
        assert "gone.toml cannot be read" in gone


async def test_a_port_that_is_taken_is_named(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = (await serve(gateway, "serve", "--port", str(port))).sentence()
            assert said.startswith(f"127.0.0.1:{port} cannot be listened on (Address already in use).")
            assert "--port" in said
            assert (await serve(gateway, "serve", PORT=str(port))).sentence() == said
            said = (await serve(gateway, "dispatch", METRICS_PORT=str(port))).sentence()
            assert said == f"METRICS_PORT {port} cannot be listened on (Address already in use)."
        assert "no.invalid:8080" in (await serve(gateway, "serve", "--host", "no.invalid")).sentence()


async def test_one_port_for_calls_and_metrics_is_refused_before_anything_is_opened(database_url: str) -> None:
    away = {"DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/none", "METRICS_PORT": "9464", "PORT": "9464"}
    async with run_gateway(database_url, serve=False) as gateway:
        for host in ("0.0.0.0", "localhost"):  # noqa: S104 (compared with, not bound to)
            said = (await serve(gateway, "serve", HOST=host, **away)).sentence()
            assert said == "METRICS_PORT and PORT are both 9464: /metrics needs a port of its own."


async def test_an_invalid_certificate_is_refused(database_url: str, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    async with run_gateway(database_url, serve=False) as gateway:
        for words in (
            ["--ssl-certfile", str(nonsense)],
            ["--ssl-certfile", str(nonsense), "--ssl-keyfile", str(nonsense)],
        ):
            assert "certificate" in (await serve(gateway, "serve", "--port", "0", *words)).sentence()
        assert "--ssl-certfile" in (await serve(gateway, "serve", "--ssl-keyfile", str(nonsense))).sentence()


@pytest.mark.parametrize(
    ("name", "end"), [("serve", signal.SIGTERM), ("dispatch", signal.SIGTERM), ("serve", signal.SIGINT)]
)
async def test_a_signal_ends_it_cleanly(name: str, end: signal.Signals, database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway, run_process(gateway, command=name) as process:
        process.process.send_signal(end)
        async with asyncio.timeout(10):
            code = await process.process.wait()
        log = process.log.read_text()
    assert code == 0
    assert "Traceback" not in log
    assert '"level":"error"' not in log


async def test_https_is_served_with_a_certificate(database_url: str, tmp_path: Path) -> None:
    make_certificate(tmp_path)
    files = ("--ssl-certfile", str(tmp_path / "cert.pem"), "--ssl-keyfile", str(tmp_path / "key.pem"))
    port = free_port()
    async with run_gateway(database_url, serve=False) as gateway:
        process = await start("serve", "--port", str(port), *files, settings=gateway.environment)
        try:
            async with asyncio.timeout(PATIENCE):
                assert await read_health(gateway, f"https://127.0.0.1:{port}") == {"status": "ok"}
        finally:
            process.terminate()
            await process.communicate()


async def read_health(gateway: Gateway, url: str) -> Any:
    while True:
        with contextlib.suppress(aiohttp.ClientConnectorError):
            async with gateway.session.get(f"{url}/healthz", ssl=False) as response:
                return await response.json()
        await asyncio.sleep(0.1)
