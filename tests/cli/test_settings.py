"""Settings: every mistake is named at once, by the name of its variable, and no value is ever shown."""

from __future__ import annotations

import base64
import re
import secrets

import pytest

from service.errors import SettingsError
from service.settings import DatabaseSettings, KeySettings, Settings, load
from tests.support.clusters import CHECKOUT

KEY = base64.b64encode(secrets.token_bytes(32)).decode()
GOOD = {
    "DATABASE_URL": "postgresql+asyncpg://user:password@host/name",
    "SECRET_KEY": KEY,
    "INDEX_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    "TELNYX_API_KEY": "KEY0123",
    "TELNYX_VERIFY_PROFILE_ID": "5a9dbeef-0000-4000-8000-000000000001",
}


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    for name, value in (GOOD | more).items():
        monkeypatch.setenv(name, value)
    return load(Settings)


def read_mistakes(monkeypatch: pytest.MonkeyPatch, **more: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as raised:
        read(monkeypatch, **more)
    first, *lines = str(raised.value).splitlines()
    assert first == "These settings need attention:"
    named = dict(line.strip().split(": ", 1) for line in lines)
    assert not [value for value in more.values() if len(value) > 3 and value in str(raised.value)]
    return named


def test_what_is_needed_and_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        load(Settings)
    assert str(raised.value).splitlines()[1:] == [f"  {name}: is missing" for name in sorted(GOOD)]


def test_a_command_asks_only_for_what_it_needs() -> None:
    with pytest.raises(SettingsError) as database:
        load(DatabaseSettings)
    with pytest.raises(SettingsError) as keys:
        load(KeySettings)
    assert [len(str(raised.value).splitlines()) for raised in (database, keys)] == [2, 4]


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, TELNYX_PUBLIC_KEY="", WEBHOOK_ALLOWED_CIDRS="", PORT="", POLICY_FILE="")
    assert (settings.telnyx_public_key, settings.port, settings.policy_file) == (None, 8080, None)
    assert "192.76.120.193" in settings.webhook_allowed_cidrs
    assert "DATABASE_URL" in read_mistakes(monkeypatch, DATABASE_URL="")


WRONG = {
    "DATABASE_URL": [
        "postgresql://user:hidden@host/name",
        "postgres+asyncpg://user:hidden@host/name",
        "postgresql+asyncpg://user:hid:den@host:port/name",
        "postgresql+asyncpg://user:hidden@host/name?sslmode=require",
        "postgresql+asyncpg://user@/name?host=one&host=other",
        "postgresql+asyncpg://user@one:5432/name?host=other:5432",
        "postgresql+asyncpg://user@host/name?prepared_statement_cache_size=0",
        "sqlite+aiosqlite",
        "/var/lib/name",
    ],
    "DATABASE_POOLER": ["session", "TRANSACTION"],
    "SECRET_KEY": ["secret", KEY[:-4], KEY + "," + "hidden", KEY + ";" + KEY, "é" * 9, "c2hvcnQ="],
    "INDEX_KEY": ["secret", KEY + "," + KEY, base64.b64encode(bytes(33)).decode()],
    "TELNYX_API_KEY": ["KEY 0123", "KEY0123\n", "KEYé0123"],
    "TELNYX_BASE_URL": ["api.telnyx.com", "ftp://api.telnyx.com", "https://"],
    "TELNYX_VERIFY_PROFILE_ID": ["my-own", "../verify_profiles#", GOOD["TELNYX_VERIFY_PROFILE_ID"] + "\n"],
    "TELNYX_PUBLIC_KEY": ["hidden", base64.b64encode(bytes(31)).decode()],
    "FINGERPRINT_API": ["v2", "five"],
    "FINGERPRINT_SEALED_KEYS": ["sealed,keys"],
    "CAPTCHA_PROVIDER": ["nocaptcha"],
    "TRUSTED_PROXIES": ["10.0.0.0/33", "10.0.0", "load-balancer", "10.0.0.1;10.0.0.2"],
    "WEBHOOK_ALLOWED_CIDRS": ["everywhere", "192.76.120.192-223"],
    "WEBHOOK_REQUIRE_HTTPS": ["perhaps"],
    "PORT": ["http", "65536", "-1", "80.5"],
    "KEEP_ALIVE": ["0", "75s", "100000"],
    "MAX_CONNECTIONS": ["0", "many"],
    "MAX_SENDS": ["-1", "1001", "some", "1.5"],
    "MAX_BACKLOG": ["0", "61", "10s"],
    "DATABASE_POOL_SIZE": ["0", "101", "ten"],
    "WEBHOOK_MAX_UNKNOWN": ["0", "1e5", "100,000"],
    "METRICS_PORT": ["0", "70000"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in WRONG.items() for value in values],
    ids=[f"{name}-{at}" for name, values in WRONG.items() for at in range(len(values))],
)
def test_a_mistake_is_named_by_its_variable_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert list(read_mistakes(monkeypatch, **{name: value})) == [name]


def test_all_mistakes_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(read_mistakes(monkeypatch, **{name: values[0] for name, values in WRONG.items()})) == sorted(WRONG)


def test_a_secret_key_may_be_a_list_and_an_index_key_not(monkeypatch: pytest.MonkeyPatch) -> None:
    older = base64.b64encode(secrets.token_bytes(32)).decode()
    settings = read(monkeypatch, SECRET_KEY=f" {KEY} , {older} ")
    assert settings.secret_key == [base64.b64decode(KEY), base64.b64decode(older)]


def test_networks_may_be_addresses_and_of_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, TRUSTED_PROXIES="10.0.0.1, 2001:db8::/64,192.0.2.0/24")
    assert all(one in settings.trusted_proxies for one in ("10.0.0.1", "2001:db8::5", "192.0.2.255"))
    assert "10.0.0.2" not in settings.trusted_proxies


def test_a_captcha_provider_comes_with_its_secret_and_neither_without_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(read_mistakes(monkeypatch, CAPTCHA_PROVIDER="turnstile")) == ["CAPTCHA_SECRET"]
    monkeypatch.delenv("CAPTCHA_PROVIDER")
    alone = {"CAPTCHA_SECRET": "hidden", "CAPTCHA_BASE_URL": "http://127.0.0.1:9"}
    assert list(read_mistakes(monkeypatch, **alone)) == sorted(alone)


def test_a_host_for_metrics_comes_with_a_port_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(read_mistakes(monkeypatch, METRICS_HOST="10.0.0.5")) == ["METRICS_HOST"]
    assert read(monkeypatch, METRICS_HOST="10.0.0.5", METRICS_PORT="9464").metrics_host == "10.0.0.5"


def test_settings_do_not_show_their_secrets_when_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    older = base64.b64encode(secrets.token_bytes(32)).decode()
    hidden = {
        "SECRET_KEY": older,
        "TELNYX_API_KEY": "KEYhidden1",
        "FINGERPRINT_SECRET_KEY": "hidden2",
        "FINGERPRINT_SEALED_KEYS": older,
        "CAPTCHA_SECRET": "hidden3",
        "ALERT_WEBHOOK_URL": "https://alerts.example/hidden4",
    }
    settings = read(monkeypatch, CAPTCHA_PROVIDER="turnstile", **hidden)
    shown = f"{settings!r} {settings}"
    assert "password" not in shown
    for secret in (*hidden.values(), repr(base64.b64decode(older)), repr(base64.b64decode(KEY))):
        assert secret not in shown


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| ([A-Z_, ]+) \| ([^|]*)\|", (CHECKOUT / "docs" / "settings.md").read_text(), re.MULTILINE)
    told = {
        name: default.strip()
        for names, defaults in rows
        for name, default in zip(names.split(", "), defaults.split(", "), strict=False)
    }
    told = {name: default for name, default in told.items() if not name.startswith("OTEL_")}  # read by its own package
    assert told.keys() == {name.upper() for name in Settings.model_fields}
    numbers = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    assert {name: int(told[name]) for name, default in numbers.items() if type(default) is int} == {
        name: default for name, default in numbers.items() if type(default) is int
    }
