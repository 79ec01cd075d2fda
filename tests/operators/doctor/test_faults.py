"""A sound deployment passes every point, and each fault of settings, policy or profiles is named by its own point."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest

from service.operators.doctor.diagnosis import Status
from service.operators.doctor.examination import BEYOND, GUIDE
from service.operators.doctor.safety import PUBLISHED
from service.policy import loading
from tests.support.doctor import (
    SECRET,
    Deployment,
    address,
    found,
    policy,
    profile,
    setting,
    sql,
    start_with,
    without,
)

OTHER = "12ade33a-21c0-473b-b055-b3c836e1c292"


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


async def test_a_point_with_two_faults_says_what_to_do_about_each(deployment: Deployment) -> None:
    setting(webhook_require_https="false")(deployment)
    address("webhook_url", "http://verify.example.com/webhooks/verify")(deployment)
    remedy = (await deployment.examine())["webhook_https"].remedy
    assert remedy
    assert "Leave WEBHOOK_REQUIRE_HTTPS unset" in remedy
    assert "Give it an address with https://." in remedy


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
