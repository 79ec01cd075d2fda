"""The doctor always ends with its whole list: nothing hangs it, its exit code is the worst, and no secret is shown."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from service.operators.doctor import gathering
from service.operators.doctor.examination import BEYOND, GUIDE
from tests.support.clusters import CHECKOUT
from tests.support.doctor import Deployment, found, new_key
from tests.support.ports import free_port
from tests.support.raw_http import RawRequest, serve_raw


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
