"""What a process says when it starts: what it is, and by name what is unsafe about its settings."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import SettingsError
from service.operators.doctor.safety import find_unknown, find_unsafe
from service.settings import Settings, load
from tests.support.clusters import CHECKOUT
from tests.support.gateway import Gateway, run_gateway, run_process
from tests.support.waiting import until

# What serving needs only for accounts that have not left Fingerprint's API v3, for Verify profiles, or for traces.
ELSEWHERE = ("fingerprint_pro_server_api_sdk", "httpx", "opentelemetry", "telnyx", "urllib3")


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


# Among parameters, since those must be alike in every worker.
GOOD_KEY = base64.b64encode(bytes(range(32))).decode()


def settings(**given: Any) -> Settings:
    sound = {
        "database_url": "postgresql+asyncpg://app@db/verify", "secret_key": new_key(), "index_key": new_key(),
        "telnyx_api_key": "KEY", "telnyx_verify_profile_id": "12ade33a-21c0-473b-b055-b3c836e1c292",
        "telnyx_public_key": new_key(),
    }  # fmt: skip
    return load(Settings, **(sound | given))


def unsafe(**given: Any) -> set[str]:
    return {one.setting for one in find_unsafe(settings(**given))}


def test_safe_settings_raise_no_warning() -> None:
    assert unsafe() == set()
    assert (
        unsafe(trusted_proxies="10.0.0.0/8, 203.0.113.7", webhook_allowed_cidrs="192.76.120.192/27,10.1.0.0/24")
        == set()
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("telnyx_public_key", None),
        ("webhook_allowed_cidrs", "0.0.0.0/0"),
        ("webhook_allowed_cidrs", "::/0"),
        ("webhook_allowed_cidrs", "0.0.0.0/1,128.0.0.0/1"),
        ("trusted_proxies", "0.0.0.0/0"),
        ("trusted_proxies", "::/0"),
        ("trusted_proxies", "10.0.0.0/8,64.0.0.0/2"),
        ("webhook_require_https", False),
        ("allow_private_user_addresses", True),
        ("telnyx_base_url", "http://api.telnyx.example/v2"),
        ("fingerprint_base_url", "http://127.0.0.1:9"),
        ("alert_webhook_url", "http://alerts.example/"),
        ("secret_key", base64.b64encode(b"s" * 32).decode()),
        ("secret_key", f"{GOOD_KEY},{base64.b64encode(b'0123456789' * 3 + b'01').decode()}"),
        ("index_key", base64.b64encode(bytes(32)).decode()),
    ],
)
def test_each_unsafe_setting_is_named(name: str, value: object) -> None:
    assert unsafe(**{name: value}) == {name.upper()}


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("0.0.0.0", True),  # noqa: S104 (what the test is about)
        ("::", True),
        ("203.0.113.9", True),
        ("10.1.2.3", False),
        ("::1", False),
        ("gateway", False),
    ],
)
def test_metrics_that_strangers_may_reach_are_named(host: str, *, named: bool) -> None:
    assert unsafe(metrics_port=9464, metrics_host=host) == ({"METRICS_HOST"} if named else set())


def test_a_captcha_secret_that_is_published_is_named() -> None:
    given = {"captcha_provider": "turnstile", "captcha_secret": "1x0000000000000000000000000000000AA"}
    assert unsafe(**given) == {"CAPTCHA_SECRET"}


@pytest.mark.parametrize("secrets_", ["{0}", "{1},{0}"])
def test_one_key_for_both_uses_is_refused(secrets_: str) -> None:
    key, other = new_key(), new_key()
    with pytest.raises(SettingsError, match=r"INDEX_KEY: must not be a SECRET_KEY") as refused:
        settings(secret_key=secrets_.format(key, other), index_key=key)
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "TELNYX_PUBLIC_KEYS", "TELNYX_PUBKEY", "TRUSTED_PROXY", "DATABASE_URI", "WEBHOOK_ALLOWED_CIDR", "SECRET_KEYS",
        "INDEXKEY", "METRIC_PORT", "ALERT_WEBHOOK",
    ],
)  # fmt: skip
def test_a_variable_that_looks_like_ours_is_named(name: str) -> None:
    assert list(find_unknown([name, "PATH", "HOME"])) == [name]


@given(st.sampled_from([name.upper() for name in Settings.model_fields]))
def test_no_setting_of_ours_is_taken_for_a_mistake(name: str) -> None:
    assert list(find_unknown([name])) == []


def test_other_programs_variables_are_not_taken_for_ours() -> None:
    others = [
        "PATH",
        "PYTHONPATH",
        "HOSTNAME",
        "PORTAGE_DIR",
        "KUBERNETES_PORT",
        "LANG",
        "LC_ALL",
        "PGHOST",
        "AWS_REGION",
    ]
    assert list(find_unknown(others)) == []


async def read_start(gateway: Gateway, command: str) -> list[dict[str, Any]]:
    async with run_process(gateway, command=command) as process:

        async def has_started() -> bool:
            return b'"starting"' in process.log.read_bytes()

        await until(has_started, "the process says what it is")
        text = process.log.read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("command", ["serve", "dispatch"])
async def test_a_process_says_what_it_is_and_what_is_unsafe(database_url: str, command: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        gateway.environment["TELNYX_PUBLIC_KEYS"] = gateway.environment.pop("TELNYX_PUBLIC_KEY")
        policy = Path(gateway.environment["POLICY_FILE"])
        policy.write_text(policy.read_text() + "\n[alerts]\na_minute = 100\n")
        lines = await read_start(gateway, command)
    [start] = [line for line in lines if line["event"] == "starting"]
    assert start["version"]
    assert start["schema"] == "0007"
    assert start["workers"] == 1
    assert len(start["policy"]) == 12
    assert (start["address"] is None) == (command == "dispatch")
    named = {line["setting"]: line for line in lines if line["event"] == "unsafe"}
    assert {"TELNYX_PUBLIC_KEY", "TELNYX_BASE_URL", "SECRET_KEY"} <= set(named)
    assert all(line["risk"] and line["remedy"] and line["level"] == "warning" for line in named.values())
    assert [line["setting"] for line in lines if line["event"] == "unknown_setting"] == ["TELNYX_PUBLIC_KEYS"]
    [old] = [line for line in lines if line["event"] == "renamed_setting"]
    assert (old["setting"], "above_sends_per_minute" in old["remedy"]) == ("alerts.a_minute", True)
    assert gateway.environment["TELNYX_PUBLIC_KEYS"] not in json.dumps(lines)
    [shared] = [line for line in lines if line["event"] == "countries_not_allowed"]
    assert (shared["level"], shared["calling_code"], shared["allowed"]) == ("warning", "+1", ["US", "CA"])
    assert {"PR", "GU", "VI"} <= set(shared["not_allowed"])


async def test_serve_is_ready_without_importing_what_only_other_work_needs(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        gateway.environment["PYTHONPROFILEIMPORTTIME"] = "1"
        async with run_process(gateway) as process:
            lines = [line for line in process.log.read_text().splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert {"asyncio", "service.app"} <= imported
    for name in ("service.sandbox", "service.simulation", *ELSEWHERE):
        assert name not in imported


async def test_serve_refuses_one_key_for_both_uses(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        same = gateway.environment | {"INDEX_KEY": gateway.environment["SECRET_KEY"], "PATH": "/usr/bin:/bin"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "service", "serve", env=same, cwd=CHECKOUT,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, err = await process.communicate()
    assert process.returncode == 1
    assert b"INDEX_KEY: must not be a SECRET_KEY" in err
