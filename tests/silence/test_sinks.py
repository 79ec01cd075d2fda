"""No number, code or key in any sink: planted, run through every flow and failure, and looked for everywhere."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from service.api.openapi.document import write_document
from service.app import create_routes
from service.clients.caller import Scope
from service.clients.key_admin import KeyAdmin
from service.sandbox.telnyx.service import TelnyxSettings
from service.vault import Vault
from tests.support.commands import environment_with
from tests.support.gateway import Gateway, run_gateway
from tests.support.leak_scenarios import PLANTED, SECRETS, Seen, run_everything
from tests.support.otlp import open_collector
from tests.support.ports import free_port
from tests.support.sinks import dump, find_secrets, read_server_log, spell
from tests.support.waiting import PATIENCE

# The gateway with everything written down that any library would write down.
LOUD = """
import logging, sys
from service import telemetry
configure = telemetry.configure_logs
def configure_loudly(level="INFO"):
    configure("DEBUG")
    logging.getLogger().setLevel(logging.DEBUG)
    for name in ("aiohttp", "asyncio", "asyncpg", "sqlalchemy.engine", "uvicorn", "alembic"):
        logging.getLogger(name).setLevel(logging.DEBUG)
telemetry.configure_logs = configure_loudly
from service.cli import main
main(sys.argv[1:])
"""
# Every header of every request, wherever an instrumentation could be asked to note it.
EVERYTHING = {
    f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_{side}_{what}": ".*"
    for side in ("SERVER", "CLIENT") for what in ("REQUEST", "RESPONSE")
} | {"OTEL_BSP_SCHEDULE_DELAY": "100"}  # fmt: skip
POLICY = '[limits]\nip = ["1000/1h"]\naccount = ["1000/1h"]\n[countries]\nallow = ["US"]\n'


@asynccontextmanager
async def run_loudly(gateway: Gateway, log: Path) -> AsyncIterator[Seen]:
    """Run serve at the loudest, on the planted keys."""
    port = free_port()
    settings = gateway.environment | {
        "SECRET_KEY": base64.b64encode(SECRETS["secret key"]).decode(),
        "INDEX_KEY": base64.b64encode(SECRETS["index key"]).decode(),
        "TELNYX_LOG": "debug",
        "PYTHONASYNCIODEBUG": "1",
    }
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", LOUD, "serve", "--port", str(port), env=environment_with(settings),
            stdout=sink, stderr=sink,
        )  # fmt: skip
    calls = Seen(f"http://127.0.0.1:{port}", gateway.key, gateway.session)
    calls.kept = []
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if (await calls.call("GET", "/readyz")).status == 200:
                        break
                await asyncio.sleep(0.1)
        yield calls
    finally:
        process.terminate()
        await process.wait()


def test_the_search_finds_a_secret_in_every_spelling() -> None:
    number = str(PLANTED["verified"])
    for text in (
        number,
        number.encode().hex(),
        base64.b64encode(b"a" + number.encode() + b"zz").decode(),
        f"%2B{number}",
    ):
        assert find_secrets(f"before{text}after", PLANTED), text
    assert all(spell(secret) for secret in PLANTED.values() if len(secret) >= 8)
    assert not find_secrets("nothing", PLANTED)


async def test_what_was_planted_is_found_in_no_sink(database_url: str, tmp_path: Path) -> None:
    telnyx = TelnyxSettings(api_key=str(PLANTED["telnyx key"]), fixed_code=str(PLANTED["code"]))
    log = tmp_path / "log"
    async with (
        open_collector() as collector,
        run_gateway(database_url, policy=POLICY, telnyx=telnyx, serve=False) as gateway,
    ):
        gateway.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} | EVERYTHING
        gateway.key = await make_key(gateway, "verify")
        async with run_loudly(gateway, log) as calls:
            await run_everything(gateway, calls, database_url)
            calls.key = await make_key(gateway, "operator")
            assert (await calls.call("GET", "/metrics")).status == 200
    planted: dict[str, str | bytes] = {**PLANTED, **SECRETS, "api key": gateway.key, "operator's key": calls.key}
    sinks = {
        "log": log.read_text(),
        "answers": "\n".join(calls.kept),
        "database": await dump(database_url),
        "server's log": read_server_log(database_url),
        "openapi": write_document(create_routes([]), "0"),
        "spans": collector.text,
    }
    assert {"send", "decide", "check", "webhook", "GET unmatched"} <= {span.name for span in collector.spans}
    assert '"level":"debug"' in sinks["log"], "not as loud as it should be"
    for event in ("unexpected", "send", "rule", "http"):
        assert f'"event":"{event}"' in sinks["log"], event
    found = {name: find_secrets(text, planted) for name, text in sinks.items()}
    assert {name: places for name, places in found.items() if places} == {}


async def make_key(gateway: Gateway, scope: Scope) -> str:
    """Make a key under the planted secrets."""
    return await KeyAdmin(gateway.database, Vault([SECRETS["secret key"]], SECRETS["index key"])).create(
        "planted", scope
    )
