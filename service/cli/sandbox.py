"""sandbox: everything on this machine, from one command, without any account.

Puts together the embedded PostgreSQL, the stand-ins for Telnyx and Fingerprint, and the real gateway in front
of them. Never takes a real Telnyx key.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
from pathlib import Path
from typing import Any

import click
import uvicorn

from service import telemetry
from service.app import create_app
from service.cli.process.ports import check_free
from service.cli.serving import UVICORN
from service.clients.authenticator import Authenticator
from service.clients.key_admin import KeyAdmin
from service.clients.store import KeyStore
from service.db.engine import open_database, resolve
from service.db.schema import migrate
from service.errors import GatewayError, NotAuthorized
from service.policy import loading
from service.sandbox import captcha_app
from service.sandbox.fingerprint.service import FingerprintSettings
from service.sandbox.main import SandboxSettings, create_sandbox
from service.sandbox.telnyx.service import PROFILE_ID, TelnyxSettings
from service.sandbox.telnyx.webhooks import Signer
from service.settings import Settings, load
from service.vault import Vault

HOME = Path(".sandbox")
PORT = click.IntRange(1, 65535)
TELNYX_KEY = "KEY_SANDBOX"
POLICY = """# Overrides the shipped policy in the sandbox: edit it and start again.
[limits]
ip = ["1000/1h"]  # all your requests come from one address

# WhatsApp is off as shipped. With these lines the demo page offers it:
# [fallback]
# order = ["sms", "whatsapp", "call", "flashcall"]
# [countries]
# whatsapp = ["US", "CA"]

# Playing with the sandbox looks like pumping: neighbouring numbers, and few codes entered. So these rules only observe
# here. To see them stop sends, delete these lines and request codes for a few numbers in a row.
"""
WATCHED = ("sequential", "range", "country_conversion", "ip_conversion", "burst", "unverified_share",
           "device_numbers", "many_countries")  # fmt: skip
POLICY += "".join(f'[rules.{rule}]\nmode = "observe"\n' for rule in WATCHED)


@click.command()
@click.option("--port", type=PORT, default=8080, show_default=True, help="The gateway's port.")
@click.option(
    "--stage-port", type=PORT, default=8081, show_default=True, help="The port of the demo page and the stand-ins."
)
@click.option(
    "--home", type=click.Path(path_type=Path), default=HOME, show_default=True, help="The folder for its data."
)
@click.option("--stand-ins", is_flag=True, help="Run only the stand-ins, for a gateway that you set up yourself.")
def sandbox(port: int, stage_port: int, home: Path, *, stand_ins: bool) -> None:
    """Run everything on this machine, without any account.

    Starts PostgreSQL, stand-ins for Telnyx and Fingerprint, a demo page and the real gateway. Prints their addresses,
    an API key, and a curl command that requests a verification. With --stand-ins, prints the settings of a gateway
    that is to use them.
    """
    if os.environ.get("TELNYX_API_KEY", TELNYX_KEY) != TELNYX_KEY:
        raise GatewayError("The sandbox does not start with a real TELNYX_API_KEY in the environment: unset it.")
    for wanted in (stage_port,) if stand_ins else (port, stage_port):
        check_free("127.0.0.1", wanted, "Choose other ports with --port and --stage-port.")
    home.mkdir(parents=True, exist_ok=True)
    telemetry.configure_logs("WARNING")
    if stand_ins:
        asyncio.run(_run_stand_ins(home, stage_port))
        return
    click.echo("Starting PostgreSQL ...", err=True)
    url, release = resolve(f"embedded:{home / 'postgres'}")
    try:
        migrate.upgrade(url)
        asyncio.run(_run(_settings(url, home, port, stage_port), home, port, stage_port))
    finally:
        if release:
            release()


def _settings(url: str, home: Path, port: int, stage_port: int) -> Settings:
    kept = _kept(home)
    stage = f"http://127.0.0.1:{stage_port}"
    given: dict[str, Any] = {
        "database_url": url,
        "secret_key": kept["secret_key"],
        "index_key": kept["index_key"],
        "telnyx_api_key": TELNYX_KEY,
        "telnyx_base_url": f"{stage}/v2",
        "telnyx_verify_profile_id": PROFILE_ID,
        "telnyx_public_key": _public_key(kept),
        "fingerprint_secret_key": FingerprintSettings().secret_key,
        "fingerprint_base_url": stage,
        "captcha_provider": "turnstile",
        "captcha_secret": captcha_app.SECRET,
        "captcha_base_url": f"{stage}/captcha",
        "allow_private_user_addresses": True,
        "trusted_proxies": "",
        "webhook_allowed_cidrs": "127.0.0.0/8",
        "callback_allow_private": "true",
        "webhook_require_https": False,
        "host": "127.0.0.1",
        "port": port,
        "policy_file": os.environ.get("POLICY_FILE") or str(_policy(home)),
    }
    return load(Settings, **given)


def _kept(home: Path) -> dict[str, str]:
    """Read the sandbox's own secrets, made at its first start: without them its database would be unreadable."""
    path = home / "secrets.json"
    if not path.exists():
        names = ("secret_key", "index_key", "signing_seed")
        made = {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in names}
        path.touch(mode=0o600)
        path.write_text(json.dumps(made))
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


def _policy(home: Path) -> Path:
    path = home / "policy.toml"
    if not path.exists():
        path.write_text(POLICY)
    return path


def _public_key(kept: dict[str, str]) -> str:
    return Signer(base64.b64decode(kept["signing_seed"])).public_key


async def _run(settings: Settings, home: Path, port: int, stage_port: int) -> None:
    key = await _key(settings, home)
    gateway_url = f"http://127.0.0.1:{port}"
    stage = create_sandbox(
        SandboxSettings(
            gateway_url=gateway_url,
            gateway_key=key,
            telnyx=TelnyxSettings(
                webhook_url=f"{gateway_url}/webhooks/verify",
                signing_seed=base64.b64decode(_kept(home)["signing_seed"]),
            ),
            channels=loading.load(settings.policy_file).default.fallback.order,
        )
    )
    servers = [
        _server(uvicorn.Config(app, host="127.0.0.1", port=on, **UVICORN))
        for app, on in ((stage, stage_port), (create_app(settings), port))
    ]
    await _serve(servers, _words(gateway_url, f"http://127.0.0.1:{stage_port}", key))


async def _run_stand_ins(home: Path, stage_port: int) -> None:
    seed = base64.b64decode(_kept(home)["signing_seed"])
    stage = create_sandbox(SandboxSettings(gateway_url="", gateway_key="", telnyx=TelnyxSettings(signing_seed=seed)))
    address = f"http://127.0.0.1:{stage_port}"
    settings = {
        "TELNYX_API_KEY": TELNYX_KEY,
        "TELNYX_BASE_URL": f"{address}/v2",
        "TELNYX_VERIFY_PROFILE_ID": PROFILE_ID,
        "TELNYX_PUBLIC_KEY": Signer(seed).public_key,
        "CAPTCHA_PROVIDER": "turnstile",
        "CAPTCHA_SECRET": captcha_app.SECRET,
        "CAPTCHA_BASE_URL": f"{address}/captcha",
    }
    words = "\n".join(f"{name}={value}" for name, value in settings.items())
    await _serve([_server(uvicorn.Config(stage, host="127.0.0.1", port=stage_port, **UVICORN))], words)


async def _key(settings: Settings, home: Path) -> str:
    """Return the demo client's key: the previous start's, if the database still knows it."""
    path = home / "demo-key"
    database = await open_database(settings.database_url)
    try:
        vault = Vault(settings.secret_key, settings.index_key)
        if path.exists():
            key, policies = path.read_text().strip(), loading.load(None)
            with contextlib.suppress(NotAuthorized):
                await Authenticator(KeyStore(database), vault, policies).find(key)
                return key
        key = await KeyAdmin(database, vault).create("demo")
        path.touch(mode=0o600)
        path.write_text(key)
        return key
    finally:
        await database.aclose()


def _words(gateway: str, stage: str, key: str) -> str:
    body = '{"phone_number": "+13125550142", "ip_address": "203.0.113.9"}'
    return f"""
verify-gateway sandbox is ready (Ctrl-C stops it)

  demo page   {stage}/demo
  inbox       {stage}/inbox
  API docs    {gateway}/schema
  API         {gateway}/v1
  key         {key}

Request a verification, then look at the inbox:

curl -sS {gateway}/v1/verifications -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'
"""


def _server(config: Any) -> Any:
    class Quiet(uvicorn.Server):
        def capture_signals(self) -> Any:
            return contextlib.nullcontext()  # two servers, one Ctrl-C: _serve's

    return Quiet(config)


async def _serve(servers: list[Any], words: str) -> None:
    def end() -> None:
        for server in servers:
            server.should_exit = True

    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, end)
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    while not all(server.started for server in servers):
        if any(task.done() for task in tasks):
            raise GatewayError("The sandbox could not start; see the log above.")
        await asyncio.sleep(0.02)
    click.echo(words)
    await asyncio.gather(*tasks)
