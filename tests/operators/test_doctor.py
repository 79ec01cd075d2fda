"""The doctor: a sound deployment passes every point, each fault is named by its own point, and nothing hangs it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy.engine import make_url

from service.db.engine import open_database
from service.db.schema import migrate
from service.operators.doctor import gathering
from service.operators.doctor.diagnosis import Status
from service.operators.doctor.examination import BEYOND, GUIDE, Point, judge
from service.operators.doctor.safety import PUBLISHED
from service.policy import loading
from service.settings import Settings, load
from tests.conftest import at, command
from tests.support.doctor import (
    SECRET,
    Deployment,
    address,
    deploy,
    new_key,
    policy,
    profile,
    setting,
    sql,
    start_with,
    without,
)
from tests.support.ports import free_port
from tests.support.raw_http import RawRequest, serve_raw, write_reply

CLEAN = (
    "truncate clients, api_keys, known_keys, traffic, webhook_events, device_signals restart identity cascade",
    f"update alembic_version set version_num = '{max(migrate._list_revisions()[1])}'",
)
OTHER = "12ade33a-21c0-473b-b055-b3c836e1c292"
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def shared(postgres: str, template: str) -> AsyncIterator[str]:
    """Answer the URL of a database for all tests of this file: to clone one for each would cost more than they do."""
    name = f"verify_test_{uuid4().hex}"
    await command(postgres, f"create database {name} template {template} strategy file_copy")
    yield at(postgres, name)
    await command(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def deployment(shared: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    database = await open_database(shared)
    async with deploy(database, shared, tmp_path) as deployed:
        yield deployed
    for statement in CLEAN:
        await database.pool.execute(statement)
    await database.aclose()


def found(points: dict[str, Point]) -> dict[str, str]:
    return {name: point.status for name, point in points.items() if point.status != "pass"}


async def test_a_sound_deployment_passes_every_point_and_each_says_what_was_seen(deployment: Deployment) -> None:
    points = await deployment.examine()
    assert found(points) == {}, points
    assert list(points) == [*GUIDE, *BEYOND]
    assert [point.guide for point in points.values()].count(True) == 16
    for point in points.values():
        assert point.seen.endswith(".")
        assert point.remedy is None


async def add_test_key(deployment: Deployment) -> None:
    await deployment.add_key("trial", test=True)


def seal_with_ours(deployment: Deployment) -> None:
    deployment.environment["FINGERPRINT_SEALED_KEYS"] = deployment.environment["INDEX_KEY"]


def list_twice(deployment: Deployment) -> None:
    deployment.environment["SECRET_KEY"] += f",{deployment.environment['SECRET_KEY']}"


TRAFFIC = "insert into traffic (minute, sends) select date_trunc('minute', clock_timestamp()) - interval '1 hour', {}"
SIGNAL = """
insert into device_signals (client_id, signal, missing_since, missing_at)
select id, 'bot', clock_timestamp() - interval '30 days', clock_timestamp() from clients where name = 'shop'
"""
OBSERVED = "update clients set observed_from = now(), observed_until = now() + interval '7 days' where name = 'shop'"
OLD = '[prices]\nsource = "our contract"\ndated = "2020-01-31"\n'

FAULTS: list[tuple[str, Status, str, Callable[[Deployment], Awaitable[None] | None]]] = [
    ("phone_limit", "warn", "laxer", policy('[limits]\nphone = ["3/1m", "100/1h"]\n')),
    ("phone_limit", "fail", "of shop have no limit", policy("[clients.shop.limits]\nphone = []\n")),
    ("ip_limit", "warn", "laxer", policy('[limits]\nip = ["1000/1h"]\n')),
    ("account_limit", "fail", "no limit", policy("[limits]\naccount = []\n")),
    ("volume", "warn", "above 9000", policy("[alerts]\nabove_sends_per_minute = 9000\n")),
    ("destinations", "fail", "by sms sends to every country", profile("sms", whitelisted_destinations=["*"])),
    ("destinations", "fail", "by call does not send to FR", profile("call", whitelisted_destinations=["DE"])),
    ("destinations", "warn", "also sends to LV", profile("sms", whitelisted_destinations=["DE", "FR", "LV"])),
    ("captcha", "warn", "No captcha", without("CAPTCHA_PROVIDER", "CAPTCHA_SECRET", "CAPTCHA_BASE_URL")),
    ("captcha", "warn", "of shop may leave", policy("[clients.shop]\ncaptcha_required = false\n")),
    ("captcha", "warn", "stops nothing", policy('[rules.captcha]\nmode = "observe"\n')),
    ("authentication", "warn", "none yet", sql("update api_keys set revoked_at = now() where scope = 'verify'")),
    ("pumping", "fail", "range is off", policy('[rules.range]\nmode = "off"\n')),
    ("pumping", "warn", "of shop only observes", policy('[clients.shop.rules.burst]\nmode = "observe"\n')),
    ("pumping", "warn", "every rule only observes for shop", sql(OBSERVED)),
    ("code_length", "fail", "4 digits", policy("[verification]\ncode_length = 4\n")),
    ("code_length", "fail", "5 digits by sms", profile("sms", code_length=5)),
    ("code_length", "fail", "not the same for all", policy("[clients.shop.verification]\ncode_length = 8\n")),
    ("time_limit", "warn", "600 s", policy('[verification]\nexpires_after = "10m"\n')),
    ("time_limit", "warn", "900 s as call.", profile("call", default_verification_timeout_secs=900)),
    ("lockout", "warn", "takes 9", policy("[lockout]\ncodes_per_verification = 9\n")),
    ("lockout", "fail", "takes 50", policy("[lockout]\ncodes_per_verification = 50\n")),
    ("silence", "warn", "without a key", setting(metrics_port="9464", metrics_host="0.0.0.0")),  # noqa: S104
    ("webhook_https", "fail", "accepted over plain", setting(webhook_require_https="false")),
    ("webhook_https", "fail", "over plain HTTP", address("webhook_url", "http://verify.example.com/webhooks/verify")),
    ("webhook_https", "warn", "no webhook address", address("webhook_url", None)),
    ("webhook_https", "warn", "does not end in", address("webhook_failover_url", "https://verify.example.com/hook")),
    ("webhook_https", "warn", "another address", setting(webhook_url="https://b.example.com/webhooks/verify")),
    ("webhook_source", "fail", "large part", setting(webhook_allowed_cidrs="0.0.0.0/0")),
    ("webhook_source", "fail", "from strangers", setting(trusted_proxies="0.0.0.0/0")),
    ("webhook_source", "warn", "besides", setting(webhook_allowed_cidrs="192.76.120.192/27,10.0.0.0/24")),
    ("webhook_source", "fail", "are refused", setting(webhook_allowed_cidrs="10.0.0.0/24")),
    ("server_side", "warn", "(trial)", add_test_key),
    ("monitoring", "warn", "Nobody", sql("update api_keys set revoked_at = now() where scope = 'metrics'")),
    ("telnyx", "fail", "does not accept TELNYX_API_KEY", setting(telnyx_api_key="KEY_OTHER")),
    ("telnyx", "fail", f"no Verify profile {OTHER}", policy(f'[clients.shop]\nverify_profile_id = "{OTHER}"\n')),
    ("profile", "warn", "sms.app_name", policy('[client]\napp_name = "Shop"\n')),
    ("signature", "fail", "no signature", without("TELNYX_PUBLIC_KEY")),
    ("webhooks_arrive", "warn", "30 codes", sql(TRAFFIC.format(30))),
    ("keys", "fail", "SECRET_KEY: It is not random", setting(secret_key="cHBw" * 10 + "cHA=")),
    ("keys", "fail", "Fingerprint's", seal_with_ours),
    ("keys", "warn", "twice", list_twice),
    ("keys", "fail", "SECRET_KEY: It is not the key that", start_with("SECRET_KEY")),
    ("keys", "fail", "INDEX_KEY: It is not the key that", start_with("INDEX_KEY")),
    ("captcha_secret", "fail", "publishes this secret", setting(captcha_secret=min(PUBLISHED))),
    ("captcha_secret", "fail", "invalid-input-secret", setting(captcha_secret="another")),
    ("captcha_secret", "warn", "no verdict", setting(captcha_base_url="http://127.0.0.1:9/captcha")),
    ("fingerprint", "fail", "(secret_api_key_not_found)", setting(fingerprint_secret_key="another")),
    ("fingerprint", "fail", "does not accept", setting(fingerprint_api="v3")),
    ("fingerprint", "warn", "did not say", setting(fingerprint_base_url="http://127.0.0.1:9")),
    ("signals", "warn", "No device event of shop carries bot", sql(SIGNAL)),
    ("territories", "warn", "GG, IM, JE", policy('[countries]\nallow = ["GB"]\n')),
    ("prices", "warn", "days old", policy(OLD)),
    ("prices", "warn", "not Telnyx's", policy(f'[prices]\nsource = "{loading.load(None).default.prices.source}"\n')),
    ("alerts", "warn", "only in the log", without("ALERT_WEBHOOK_URL")),
    ("schema", "fail", "run verify-gateway migrate", sql("update alembic_version set version_num = '0004'")),
    ("settings", "warn", "no setting TELNYX_PUBKEY", setting(telnyx_pubkey="x")),
    ("settings", "warn", "names no point: prizes", setting(doctor_accepted="prices,prizes")),
    ("settings", "warn", "ALERT_WEBHOOK_URL", setting(alert_webhook_url="http://alerts.example.com/")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "seen", "break_it"), FAULTS, ids=[f"{f[0]}: {f[2]}" for f in FAULTS])
async def test_each_fault_is_named_by_its_point_with_what_to_do(
    deployment: Deployment,
    name: str,
    status: Status,
    seen: str,
    break_it: Callable[[Deployment], Awaitable[None] | None],
) -> None:
    done = break_it(deployment)
    if done is not None:
        await done
    point = (await deployment.examine())[name]
    assert (point.status, seen in point.seen) == (status, True), point
    assert point.remedy
    assert re.fullmatch(r"\S.*\.", point.remedy), "a sentence"
    assert SECRET not in str(point)


async def test_a_database_that_is_too_small_for_the_processes_is_named(deployment: Deployment) -> None:
    few, many = await deployment.examine(processes=2), await deployment.examine(processes=900)
    assert (few["connections"].status, few["locks"].status) == ("pass", "pass")
    assert (many["connections"].status, many["locks"].status) == ("fail", "warn")
    assert "900 processes may open 15,300 connections" in many["connections"].seen.replace("15300", "15,300")
    assert re.search(r"Set max_locks_per_transaction = \d+ and restart", many["locks"].remedy or "")


async def test_behind_a_pooler_the_role_needs_a_time_limit(deployment: Deployment, database_url: str) -> None:
    # Through a pooler nothing is set for a session, so what the role has applies.
    given = {"DATABASE_URL": database_url, "DATABASE_POOLER": "transaction"}
    lax = await find_point(deployment, "pooler", **given)
    assert (lax["status"], lax["seen"]) == ("fail", "Behind the pooler no statement has a time limit of 2 s.")
    assert "SET statement_timeout = '2s'" in lax["remedy"]
    await command(database_url, f"alter database {name_of(database_url)} set statement_timeout = '2s'")
    assert (await find_point(deployment, "pooler", **given))["status"] == "pass"


async def test_a_database_whose_clock_is_wrong_is_named(deployment: Deployment, database_url: str) -> None:
    ahead = "$$ select pg_catalog.clock_timestamp() + interval '20 seconds' $$"
    await command(database_url, "create schema wrong")
    made = "create function wrong.clock_timestamp() returns timestamptz language sql as"
    await command(database_url, f"{made} {ahead}")
    await command(database_url, f"alter database {name_of(database_url)} set search_path = wrong, pg_catalog, public")
    point = await find_point(deployment, "database_clock", DATABASE_URL=database_url)
    assert point["status"] == "warn"
    assert re.match(r"The database's clock is (19|20|21)\.\d s ahead of", point["seen"])


async def find_point(deployment: Deployment, name: str, **more: str) -> dict[str, str]:
    """Run the command, and return one point of its list."""
    done = json.loads((await deployment.run("doctor", "--json", **more)).out)
    [point] = [point for point in done["points"] if point["name"] == name]
    return dict(point)


def name_of(url: str) -> str:
    return str(make_url(url).database)


@pytest.mark.parametrize(
    ("date", "status"), [("date: Sat, 01 Jan 2022 00:00:00 GMT", "fail"), ("date: yesterday", "warn"), ("x: y", "warn")]
)
async def test_a_telnyx_whose_clock_is_wrong_or_not_told_is_named(
    deployment: Deployment, date: str, status: Status
) -> None:
    async def answer(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(200, json.dumps({"data": deployment.profile}).encode(), date))

    async with serve_raw(answer) as server:
        deployment.environment["TELNYX_BASE_URL"] = f"{server.url}/v2"
        points = await deployment.examine()
    assert found(points) == {"telnyx_clock": status}


async def test_a_refusal_of_telnyxs_tells_its_clock_as_well(deployment: Deployment) -> None:
    async def refuse(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(401, b"{}", "date: Sat, 01 Jan 2022 00:00:00 GMT"))

    async with serve_raw(refuse) as server:
        deployment.environment["TELNYX_BASE_URL"] = f"{server.url}/v2"
        points = await deployment.examine()
    assert points["telnyx"].status == "fail"
    assert (points["telnyx_clock"].status, "behind this machine's" in points["telnyx_clock"].seen) == ("fail", True)


async def test_a_point_with_two_faults_says_what_to_do_about_each(deployment: Deployment) -> None:
    setting(webhook_require_https="false")(deployment)
    address("webhook_url", "http://verify.example.com/webhooks/verify")(deployment)
    remedy = (await deployment.examine())["webhook_https"].remedy
    assert remedy
    assert "Leave WEBHOOK_REQUIRE_HTTPS unset" in remedy
    assert "Give it an address with https://." in remedy


async def test_the_disk_of_an_embedded_database_is_measured(deployment: Deployment, tmp_path: Path) -> None:
    settings = load(Settings, **{name.lower(): value for name, value in deployment.environment.items()})
    embedded = settings.model_copy(update={"database_url": f"embedded:{tmp_path}/not/yet/made"})
    facts = await gathering.gather(embedded, loading.load(deployment.policy), deployment.database, [], 1)
    assert isinstance(facts.free, int)
    for free, status in ((10**8, "fail"), (3 * 10**9, "warn"), (10**11, "pass")):
        points = {point.name: point for point in judge(msgspec.structs.replace(facts, free=free))}
        assert (points["disk"].status, "GB free" in points["disk"].seen) == (status, True)


async def test_webhooks_that_arrive_are_seen(deployment: Deployment) -> None:
    await sql(
        TRAFFIC.format(30),
        "insert into webhook_events (event_id, event_type, delivery, provider_id) values ('1', 'a', 'sent', '2')",
    )(deployment)
    assert (await deployment.examine())["webhooks_arrive"].seen == "Telnyx's webhooks arrive."


async def test_a_busy_services_alert_may_have_a_higher_threshold(deployment: Deployment) -> None:
    policy("[alerts]\nabove_sends_per_minute = 900\n")(deployment)
    await sql(TRAFFIC.format(300))(deployment)
    assert (await deployment.examine())["volume"].status == "pass"


async def test_a_base_url_that_is_not_telnyxs_is_named(deployment: Deployment) -> None:
    settings = load(Settings, **{name.lower(): value for name, value in deployment.environment.items()})
    facts = await gathering.gather(settings, loading.load(deployment.policy), deployment.database, [], 1)
    for url, status in (
        ("https://api.telnyx.com/v2", "pass"),
        ("https://api.telnyx.com.example/v2", "warn"),
        ("https://nottelnyx.com/v2", "warn"),
    ):
        named = load(Settings, **{n.lower(): v for n, v in (deployment.environment | {"TELNYX_BASE_URL": url}).items()})
        points = {point.name: point for point in judge(msgspec.structs.replace(facts, settings=named))}
        assert points["server_side"].status == status, url


async def test_neither_a_silent_telnyx_nor_a_silent_database_holds_it_up(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LIMIT", 0.5)

    over = asyncio.Event()

    async def hang(_: RawRequest, __: asyncio.StreamWriter) -> None:
        await over.wait()

    async with serve_raw(hang) as server, asyncio.timeout(60):
        silent = {"DATABASE_URL": f"postgresql+asyncpg://app@{server.url[7:]}/x", "TELNYX_BASE_URL": f"{server.url}/v2"}
        done = await deployment.run("doctor", "--json", **silent)
        over.set()
    points = {point["name"]: point for point in json.loads(done.out)["points"]}
    assert (done.code, done.err) == (2, "")
    assert list(points) == [*GUIDE, *BEYOND]
    assert "no answer within 0.5 s" in points["telnyx"]["seen"]
    assert points["schema"]["status"] == "fail"


async def test_a_database_and_a_telnyx_that_are_away_are_named_and_all_else_is_judged(deployment: Deployment) -> None:
    nowhere = free_port()
    away = {
        "DATABASE_URL": f"postgresql+asyncpg://app:geheim@127.0.0.1:{nowhere}/x",
        "TELNYX_BASE_URL": f"http://127.0.0.1:{nowhere}/v2",
    }
    done = await deployment.run("doctor", **away)
    assert (done.code, done.err) == (2, "")
    assert "fail  schema: Database and schema\n      The database cannot be reached" in done.out
    assert "fail  telnyx: " in done.out
    assert "pass  phone_limit: " in done.out
    assert "geheim" not in done.out


async def test_a_defect_in_one_point_hides_no_other(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(BEYOND, "disk", ("Disk", fail))
    points = await deployment.examine()
    assert found(points) == {"disk": "warn"}
    assert points["disk"].seen == "It could not be judged (ZeroDivisionError)."


async def test_the_exit_code_is_the_worst_that_was_found(deployment: Deployment) -> None:
    sound = await deployment.run("doctor")
    assert (sound.code, sound.err, sound.out.splitlines()[-1]) == (0, "", "35 pass, 0 warn, 0 fail")
    warned = await deployment.run("doctor", ALERT_WEBHOOK_URL="")
    assert (warned.code, warned.out.splitlines()[-1]) == (1, "34 pass, 1 warn, 0 fail")
    assert "warn  alerts: Where alerts go\n" in warned.out
    assert "\n      → Set ALERT_WEBHOOK_URL.\n" in warned.out
    failed = await deployment.run("doctor", "--json", TELNYX_PUBLIC_KEY="")
    assert (failed.code, json.loads(failed.out)["status"]) == (2, "fail")


async def test_a_warning_can_be_accepted_and_a_failure_cannot(deployment: Deployment) -> None:
    accepted = {"DOCTOR_ACCEPTED": "alerts, signature", "ALERT_WEBHOOK_URL": ""}
    done = await deployment.run("doctor", **accepted)
    assert done.code == 0
    assert "pass  alerts: Where alerts go (accepted)\n      Alerts are only in the log" in done.out
    assert (await deployment.run("doctor", TELNYX_PUBLIC_KEY="", **accepted)).code == 2


async def test_settings_and_policies_that_cannot_be_read_are_a_failure_in_the_same_form(
    deployment: Deployment,
) -> None:
    for broken, name in (
        ({"INDEX_KEY": deployment.environment["SECRET_KEY"]}, "settings"),
        ({"TELNYX_API_KEY": ""}, "settings"),
        ({"POLICY_FILE": "/nowhere/policy.toml"}, "policy"),
    ):
        done = await deployment.run("doctor", "--json", **broken)
        assert (done.code, done.err) == (2, "")
        [point] = json.loads(done.out)["points"]
        assert (point["name"], point["status"]) == (name, "fail")
    text = await deployment.run("doctor", INDEX_KEY=deployment.environment["SECRET_KEY"])
    assert "      INDEX_KEY: must not be a SECRET_KEY" in text.out.replace("        ", "      ")


async def test_no_secret_is_shown(deployment: Deployment) -> None:
    deployment.environment["FINGERPRINT_SEALED_KEYS"] = new_key()
    secret = ["SECRET_KEY", "INDEX_KEY", "CAPTCHA_SECRET", "FINGERPRINT_SECRET_KEY", "FINGERPRINT_SEALED_KEYS",
              "ALERT_WEBHOOK_URL", "TELNYX_API_KEY"]  # fmt: skip
    for more in (
        {},
        {"TELNYX_API_KEY": "KEY_OTHER"},
        {"CAPTCHA_SECRET": "", "CAPTCHA_PROVIDER": "", "CAPTCHA_BASE_URL": ""},
    ):
        done = await deployment.run("doctor", "--json", **more)
        for name in secret:
            shown = (deployment.environment | more)[name]
            assert not shown or shown not in done.out


def test_each_point_stands_in_the_documentation() -> None:
    text = (CHECKOUT / "docs" / "doctor.md").read_text()
    assert re.findall(r"(?m)^\| `(\w+)` \|", text) == [*GUIDE, *BEYOND]
