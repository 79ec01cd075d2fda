"""sandbox: everything on this machine, from one command, without any account.

Puts together the embedded PostgreSQL, the stand-ins for Telnyx and Fingerprint, and the real gateway in front
of them. Never takes a real Telnyx key.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import click
import uvicorn

from service import phone, telemetry
from service.app import create_app
from service.cli.process.ports import check_free
from service.cli.process.serving import UVICORN
from service.cli.sandbox.home import SandboxHome
from service.db.engine import resolve
from service.db.schema import migrate
from service.errors import GatewayError
from service.policy import loading
from service.sandbox import captcha_app
from service.sandbox.demo.page import PageSettings
from service.sandbox.fingerprint.service import FingerprintSettings
from service.sandbox.main import SandboxSettings, create_sandbox
from service.sandbox.telnyx.service import PROFILE_ID, TelnyxSettings
from service.sandbox.telnyx.webhooks import Signer
from service.settings import Settings, load

HOME = Path(".sandbox")
PORT = click.IntRange(1, 65535)
TELNYX_KEY = "KEY_SANDBOX"
OTHER_PORTS = (
    'Choose other ports with --port and --stage-port; with make: make sandbox ARGS="--port 9000 --stage-port 9001".'
)
AGENT_KEY = re.compile(r"[A-Za-z0-9]{1,64}")


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
    keys for products and operators, curl commands that request a verification and check its code, and how other
    commands reach this gateway. With --stand-ins,
    prints the settings of a gateway that is to use them.
    """
    if os.environ.get("TELNYX_API_KEY", TELNYX_KEY) != TELNYX_KEY:
        raise GatewayError("The sandbox does not start with a real TELNYX_API_KEY in the environment: unset it.")
    _read_agent_key()
    for wanted in (stage_port,) if stand_ins else (port, stage_port):
        check_free("127.0.0.1", wanted, OTHER_PORTS)
    if (fault := None if stand_ins else _find_fault()) is not None:
        click.echo(f"Warning: {fault}", err=True)
    own = SandboxHome(home)
    telemetry.configure_logs("WARNING")
    if stand_ins:
        asyncio.run(_run_stand_ins(own, stage_port))
        return
    click.echo("Starting PostgreSQL ...", err=True)
    url, release = resolve(f"embedded:{home / 'postgres'}")
    try:
        migrate.upgrade(url)
        asyncio.run(_run(_settings(url, own, port, stage_port), own, port, stage_port))
    finally:
        if release:
            release()


def _settings(url: str, home: SandboxHome, port: int, stage_port: int) -> Settings:
    kept = home.read_secrets()
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
        "policy_file": os.environ.get("POLICY_FILE") or str(home.find_policy()),
    }
    if _read_agent_key() is not None and os.environ.get("FINGERPRINT_SECRET_KEY"):
        # Then events are Fingerprint's own, and only Fingerprint knows them.
        del given["fingerprint_secret_key"], given["fingerprint_base_url"]
    return load(Settings, **given)


def _read_agent_key() -> str | None:
    """Return the key of Fingerprint's own agent, if the page is to load that one."""
    key = os.environ.get("FINGERPRINT_PUBLIC_KEY") or None
    # It becomes part of a page and of an address.
    if key is not None and not AGENT_KEY.fullmatch(key):
        raise GatewayError("FINGERPRINT_PUBLIC_KEY has letters and digits only.")
    return key


def _find_fault() -> str | None:
    """Say what cannot work in how Fingerprint is set. The names alone: the values are keys."""
    public, secret = (bool(os.environ.get(f"FINGERPRINT_{kind}_KEY")) for kind in ("PUBLIC", "SECRET"))
    if public and not secret:
        return (
            "FINGERPRINT_PUBLIC_KEY is set and FINGERPRINT_SECRET_KEY is not: nobody here knows the events of "
            "Fingerprint's own agent, so the rule event_forged suppresses every code. Set both, or neither."
        )
    if secret and not public:
        return (
            "FINGERPRINT_SECRET_KEY is set and FINGERPRINT_PUBLIC_KEY is not: the page uses the stand-in's agent, and "
            "Fingerprint is not asked. Set both, or neither."
        )
    return None


def _public_key(kept: dict[str, str]) -> str:
    return Signer(base64.b64decode(kept["signing_seed"])).public_key


async def _run(settings: Settings, home: SandboxHome, port: int, stage_port: int) -> None:
    key, operator_key = [await home.read_key(name, settings) for name in ("demo-key", "operator-key")]
    policy = loading.load(settings.policy_file).default
    gateway_url = f"http://127.0.0.1:{port}"
    stage = create_sandbox(
        SandboxSettings(
            gateway_url=gateway_url,
            gateway_key=key,
            operator_key=operator_key,
            telnyx=TelnyxSettings(
                webhook_url=f"{gateway_url}/webhooks/verify",
                signing_seed=base64.b64decode(home.read_secrets()["signing_seed"]),
            ),
            page=PageSettings(
                channels=tuple(policy.fallback.order),
                countries=tuple(policy.countries.allow),
                fingerprint_key=_read_agent_key(),
                fingerprint_api=settings.fingerprint_api,
                fingerprint_region=settings.fingerprint_region,
                warning=_find_fault(),
            ),
        )
    )
    servers = [
        _server(uvicorn.Config(app, host="127.0.0.1", port=on, **UVICORN))
        for app, on in ((stage, stage_port), (create_app(settings), port))
    ]
    words = {
        "demo page": f"http://127.0.0.1:{stage_port}/demo",
        "inbox": f"http://127.0.0.1:{stage_port}/inbox",
        "console": f"{gateway_url}/operator",
        "API docs": f"{gateway_url}/schema",
        "API": f"{gateway_url}/v1",
        "key": key,
        "operator key": operator_key,
        "policy": str(settings.policy_file),
        "countries": _name_countries(policy.countries.allow),
    }
    await _serve(servers, _words(words, gateway_url, key, home.write_settings(settings)))


async def _run_stand_ins(home: SandboxHome, stage_port: int) -> None:
    seed = base64.b64decode(home.read_secrets()["signing_seed"])
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


def _name_countries(allowed: list[str]) -> str:
    return "all" if set(allowed) >= set(phone.list_countries()) else ", ".join(allowed)


def _words(words: dict[str, str], gateway: str, key: str, settings_file: Path) -> str:
    request = '{"phone_number": "+13125550142", "ip_address": "203.0.113.9"}'
    lines = "\n".join(f"  {name:<13} {word}" for name, word in words.items())
    # As it was called, so that it works in a shell without the virtual environment.
    called = [sys.executable, "-m", "service"] if sys.argv[0].endswith(".py") else [sys.argv[0]]
    program, place = shlex.join(called), shlex.quote(str(settings_file))
    return f"""
verify-gateway sandbox is ready (Ctrl-C stops it)

{lines}

Request a verification:

{_curl(f"{gateway}/v1/verifications", key, request)}

Then look at the inbox, and check the code, with the id that came back in place of ID and the code in place of CODE:

{_curl(f"{gateway}/v1/verifications/ID/verify", key, '{"code": "CODE"}')}

Have a backend of yours told how each one ends; other commands read the settings of this gateway in the same way:

(set -a; . {place}; {program} callbacks set demo http://127.0.0.1:3000/callbacks)
"""


def _curl(url: str, key: str, body: str) -> str:
    # The reply has no line break of its own, and the shell's prompt would follow it on the same line.
    said = "-H 'Content-Type: application/json' -w '\\n'"
    return f"curl -sS {url} -H 'Authorization: Bearer {key}' {said} -d '{body}'"


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
