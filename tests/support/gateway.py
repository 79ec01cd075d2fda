"""A gateway that is really served, in front of a stand-in for Telnyx that is really served, and calls to it.

Used by every test of the product's behaviour: real sockets, a real database, the app as `serve` runs it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import aiohttp
import msgspec
from litestar import Litestar

from service.app import create_app
from service.clients.caller import Scope
from service.clients.key_admin import KeyAdmin
from service.db.engine import Database, Pooler, open_database
from service.fraud.stages import HISTORY
from service.sandbox.captcha_app import Siteverify, mount_captcha
from service.sandbox.composition import compose_app
from service.sandbox.fingerprint.app import list_fingerprint_controls, mount_fingerprint
from service.sandbox.fingerprint.service import SimulatedFingerprint
from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.app import deliver_webhooks, mount_telnyx
from service.sandbox.telnyx.service import PROFILE_ID, SimulatedTelnyx, TelnyxSettings
from service.settings import Settings, load
from service.vault import Vault
from tests.support.ports import free_port
from tests.support.routes import lend_routes
from tests.support.serving import serve_app
from tests.support.waiting import PATIENCE, until

PHONE = "+13125550142"
OTHER_PHONE = "+13125550143"
ADDRESS = "203.0.113.9"
SECRET_KEY = base64.b64encode(b"s" * 32).decode()
INDEX_KEY = base64.b64encode(b"i" * 32).decode()
RECORDED = "select exists (select from sends where provider_id = $1)"
POLICY = """
[limits]
ip = ["1000/1h"]
"""


def observe_histories(policy: str) -> str:
    """Have the rules on histories only observe, but for those that a policy names: tests ask as no people do.

    For the same reason no request is another's second tap, unless a policy says so.
    """
    if "repeat_within" not in policy:
        lifetimes = '[verification]\nrepeat_within = "off"\n'
        policy = policy.replace("[verification]\n", lifetimes) if "[verification]\n" in policy else lifetimes + policy
    names = [name for name in HISTORY.rules if name != "block" and f"[rules.{name}]" not in policy]
    return "".join(f'[rules.{name}]\nmode = "observe"\n' for name in names) + policy


class Reply(msgspec.Struct):
    """One answer: its status, its JSON body, its headers in lower case."""

    status: int
    body: Any
    headers: dict[str, str]


class Calls:
    """The calls of one client at one address of a gateway."""

    def __init__(self, url: str, key: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.key = key
        self.session = session

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        given = {"authorization": f"Bearer {self.key}"} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        async with self.session.request(method, self.url + path, json=body, headers=given) as response:
            text = await response.read()
            body = msgspec.json.decode(text) if text and "json" in response.content_type else text
            return Reply(response.status, body, {name.lower(): value for name, value in response.headers.items()})

    async def request(self, phone_number: str = PHONE, *, idem: str | None = None, **fields: Any) -> Reply:
        body = {"phone_number": phone_number, "ip_address": ADDRESS} | fields
        headers = {"idempotency_key": idem} if idem else {}
        return await self.call("POST", "/v1/verifications", body, **headers)

    async def begin(self, phone_number: str = PHONE, **fields: Any) -> str:
        """Request, and return the verification's id."""
        reply = await self.request(phone_number, **fields)
        assert reply.status == 202, reply
        return str(reply.body["id"])

    async def verify(self, verification: str, code: str, *, idem: str | None = None) -> Reply:
        headers = {"idempotency_key": idem} if idem else {}
        return await self.call("POST", f"/v1/verifications/{verification}/verify", {"code": code}, **headers)

    async def read(self, verification: str) -> Reply:
        return await self.call("GET", f"/v1/verifications/{verification}")

    async def use_fallback(self, verification: str) -> Reply:
        return await self.call("POST", f"/v1/verifications/{verification}/fallback")

    async def cancel(self, verification: str) -> Reply:
        return await self.call("POST", f"/v1/verifications/{verification}/cancel")


class Gateway(Calls):
    """A gateway with what stands around it. `environment` starts another process of the same gateway."""

    def __init__(
        self,
        calls: Calls,
        telnyx: SimulatedTelnyx,
        stage: SandboxStage,
        database: Database,
        environment: dict[str, str],
    ) -> None:
        super().__init__(calls.url, calls.key, calls.session)
        self.telnyx = telnyx
        self.stage = stage
        self.database = database
        self.environment = environment

    async def client(self, name: str, *, scope: Scope = "verify", test: bool = False) -> Calls:
        """Make another client, and return its calls."""
        return Calls(self.url, await make_key(self.database, name, scope=scope, test=test), self.session)


async def make_key(database: Database, name: str, *, scope: Scope = "verify", test: bool = False) -> str:
    vault = Vault([b"s" * 32], b"i" * 32)
    return await KeyAdmin(database, vault).create(name, scope, test=test)


def environment_of(
    database_url: str, stage_url: str, policy: Path, telnyx: SimulatedTelnyx, **more: str
) -> dict[str, str]:
    """Write down the settings of a gateway, by the names of the environment."""
    captcha = {"CAPTCHA_BASE_URL": f"{stage_url}/captcha"} if "CAPTCHA_PROVIDER" in more else {}
    return {
        "DATABASE_URL": database_url,
        "SECRET_KEY": SECRET_KEY,
        "INDEX_KEY": INDEX_KEY,
        "TELNYX_API_KEY": telnyx.settings.api_key,
        "TELNYX_BASE_URL": f"{stage_url}/v2",
        "TELNYX_VERIFY_PROFILE_ID": PROFILE_ID,
        "TELNYX_PUBLIC_KEY": telnyx.signer.public_key,
        "FINGERPRINT_BASE_URL": stage_url,
        "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8",
        "WEBHOOK_REQUIRE_HTTPS": "false",
        "POLICY_FILE": str(policy),
        **captcha,
    } | more


def create_stage(telnyx: TelnyxSettings) -> Litestar:
    """Make what of the sandbox a gateway calls; to make its controls and pages too takes longer than most tests."""
    simulated, fingerprint, stage = SimulatedTelnyx(telnyx), SimulatedFingerprint(), SandboxStage()
    mounts = [mount_telnyx(simulated, stage), *mount_fingerprint(fingerprint, stage), mount_captcha(Siteverify(stage))]
    return compose_app(
        [*mounts, *list_fingerprint_controls()], [deliver_webhooks],
        telnyx=simulated, fingerprint=fingerprint, stage=stage,
    )  # fmt: skip


@asynccontextmanager
async def run_gateway(
    database_url: str, *, policy: str = POLICY, telnyx: TelnyxSettings | None = None, serve: bool = True, **more: str
) -> AsyncIterator[Gateway]:
    """Serve a stand-in and a gateway in front of it, in this process; with serve=False the stand-in alone.

    `policy` overrides the shipped one, whose rules on histories only observe; `more` are settings by their names
    in the environment.
    """
    stage_app = create_stage(telnyx or TelnyxSettings())
    database = await open_database(database_url, pooler=cast("Pooler", more.get("DATABASE_POOLER", "none")))
    key = await make_key(database, "shop")
    timeout, connector = aiohttp.ClientTimeout(total=30), aiohttp.TCPConnector(limit=0)
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "policy.toml"
            file.write_text(observe_histories(policy))
            async with (
                serve_app(stage_app) as stage_url,
                aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            ):
                service: SimulatedTelnyx = stage_app.state.telnyx
                environment = environment_of(database_url, stage_url, file, service, **more)
                parts = (service, stage_app.state.stage, database, environment)
                if not serve:
                    yield Gateway(Calls("", key, session), *parts)
                    return
                settings = load(Settings, **{name.lower(): value for name, value in environment.items()})
                async with serve_app(create_app(settings, routes=lend_routes)) as url:
                    yield Gateway(Calls(url, key, session), *parts)
    finally:
        await database.aclose()


async def read_code(
    gateway: Gateway, phone_number: str = PHONE, channel: str = "sms", patience: float = PATIENCE
) -> str:
    """Wait until the stand-in has sent to a phone and a gateway knows that; return the newest code."""

    def sent() -> list[str]:
        found = gateway.telnyx.verifications.list_by_phone(phone_number)
        return [one.id for one in found if one.type == channel]

    await until(lambda: bool(sent()), "something is sent", patience)
    newest = sent()[0]
    # A check waits for a send that Telnyx has not answered yet, but not for as long as a busy machine may take.
    await until(lambda: gateway.database.pool.fetchval(RECORDED, newest), "it is recorded")
    return gateway.telnyx.find_code(newest)


def wrong(code: str) -> str:
    """Return another code than this one."""
    return code[:-1] + ("0" if code[-1] != "0" else "1")


@asynccontextmanager
async def run_process(gateway: Gateway, *, command: str = "serve", before: str = "true") -> AsyncIterator[Process]:
    """Run `verify-gateway serve` (or dispatch) on the same settings in a process of its own, until it is ready.

    What it logs is in `log`, a file. It is ended with SIGKILL if the test has not ended it. `before`: what a shell does
    before it becomes that process.
    """
    port = free_port()
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", f'{before} && exec "$@"', "sh",
                sys.executable, "-m", "service", command, *(["--port", str(port)] if command == "serve" else []),
                stderr=sink, stdout=sink, env=os.environ | gateway.environment,
            )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            await _wait_until_ready(process, url if command == "serve" else None, log, gateway.session)
            yield Process(process, Calls(url, gateway.key, gateway.session), log)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            await process.wait()


class Process:
    """A gateway's own process, and calls to it."""

    def __init__(self, process: asyncio.subprocess.Process, calls: Calls, log: Path) -> None:
        self.process = process
        self.calls = calls
        self.log = log


async def _wait_until_ready(
    process: asyncio.subprocess.Process, url: str | None, log: Path, session: aiohttp.ClientSession
) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < end:
        if process.returncode is not None:
            raise AssertionError(f"it ended with {process.returncode}: {log.read_text()}")
        if url is None and "dispatching" in log.read_text():
            return
        if url is not None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/readyz") as response:
                    if response.status == 200:
                        return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it was not ready in time: {log.read_text()}")
