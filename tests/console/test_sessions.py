"""Signing in to the console: with an operator's key alone, in a cookie that says nothing, until it is really ended."""

from __future__ import annotations

import pytest

from tests.support.console import come_to, sit_down
from tests.support.gateway import run_gateway

PAGES = ("/operator", "/operator/why", "/operator/blocks", "/operator/exemptions")
ACTS = ("/operator/sign-out", "/operator/why", "/operator/blocks", "/operator/blocks/1/lift", "/operator/exemptions")


async def test_without_a_session_every_page_leads_to_the_sign_in_and_no_act_is_done(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, come_to(gateway.url) as desk:
        for path in PAGES:
            shown = await desk.get(path)
            assert (shown.status, shown.path) == (200, "/operator/sign-in"), path
        for path in ACTS:
            assert (await desk.post(path, {"what": "+13125550142"})).path == "/operator/sign-in", path


async def test_an_operators_key_signs_in_and_leaves_no_trace_of_itself(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, operator):
        shown = await desk.get()
        assert (shown.status, shown.path) == (200, "/operator")
        [cookie] = desk.session.cookie_jar
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/operator")
        secret = operator.key.removeprefix("vg_")
        assert secret not in cookie.value
        assert secret not in shown.page
        stored = await gateway.database.pool.fetchval("select string_agg(s::text, ' ') from console_sessions s")
        assert cookie.value not in stored
        assert secret not in stored


async def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(database_url: str) -> None:
    async with run_gateway(database_url, TRUSTED_PROXIES="127.0.0.0/8") as gateway, come_to(gateway.url) as desk:
        operator = await gateway.client("desk", scope="operator")
        form = {"key": operator.key}
        head = {"x-forwarded-proto": "https"}
        async with desk.session.post(
            f"{gateway.url}/operator/sign-in", data=form, headers=head, allow_redirects=False
        ) as response:
            assert "; Secure" in response.headers["set-cookie"]


async def test_other_keys_do_not_sign_in_and_tries_are_counted(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, come_to(gateway.url) as desk:
        assert (await desk.post("/operator/sign-in", {"key": gateway.key})).status == 403
        tries = [await desk.post("/operator/sign-in", {"key": f"vg_{n}"}) for n in range(32)]
        assert [one.status for one in tries] == [401] * 30 + [429] * 2
        assert int(tries[-1].headers["retry-after"]) > 0
        assert await gateway.database.pool.fetchval("select count(*) from console_sessions") == 0


@pytest.mark.parametrize(
    "how",
    [
        "update api_keys set revoked_at = now() where scope = 'operator'",
        "update api_keys set ends_at = now() where scope = 'operator'",
        "update console_sessions set until = now()",
        "update console_sessions set seen_at = now() - interval '2 hours'",
    ],
    ids=["its key is revoked", "its key ends", "its time is over", "nobody was there"],
)
async def test_a_session_ends(database_url: str, how: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.database.pool.execute(how)
        assert (await desk.get()).path == "/operator/sign-in"


async def test_signing_out_ends_the_session_for_a_copy_of_its_cookie_too(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await desk.get()
        [cookie] = desk.session.cookie_jar
        copy = f"{cookie.key}={cookie.value}"
        assert (await desk.get("/operator", cookie=copy)).path == "/operator"
        assert (await desk.post("/operator/sign-out")).path == "/operator/sign-in"
        async with come_to(gateway.url) as other:
            assert (await other.get("/operator", cookie=copy)).path == "/operator/sign-in"
        acts = await gateway.database.pool.fetch("select action from audits where action like 'sign%' order by id")
        assert [row["action"] for row in acts] == ["sign_in", "sign_out"]


async def test_a_form_of_another_site_or_without_the_sessions_token_does_nothing(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, operator):
        await desk.get()
        block = {"kind": "country", "target": "US", "duration": "1h", "reason": "tried"}
        assert (await desk.post("/operator/blocks", block, sec_fetch_site="cross-site")).status == 403
        assert (await desk.post("/operator/blocks", block | {"form": "0" * 32})).status == 403
        assert (await desk.post("/operator/sign-in", {"key": operator.key}, sec_fetch_site="same-site")).status == 403
        assert await gateway.database.pool.fetchval("select count(*) from blocks") == 0
        assert (await desk.post("/operator/blocks", block)).status == 200
        assert await gateway.database.pool.fetchval("select count(*) from blocks") == 1


async def test_after_the_sign_in_one_comes_back_to_the_page_one_wanted_and_to_no_other_site(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, come_to(gateway.url) as desk:
        key = (await gateway.client("desk", scope="operator")).key
        assert 'value="/operator/blocks"' in (await desk.get("/operator/blocks")).page
        assert (await desk.post("/operator/sign-in", {"key": key, "to": "/operator/blocks"})).path == "/operator/blocks"
        for to in ("//elsewhere.example/operator", "https://elsewhere.example", "/operator/../v1", "/metrics"):
            assert (await desk.post("/operator/sign-in", {"key": key, "to": to})).path == "/operator", to


async def test_pages_may_load_and_run_nothing_but_their_style_and_no_browser_keeps_them(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        for path in ("/operator/sign-in", *PAGES):
            shown = await desk.get(path)
            policy = dict(rule.split(" ", 1) for rule in shown.headers["content-security-policy"].split("; "))
            assert policy.pop("img-src") == "data:"
            assert policy["default-src"] == "'none'"
            assert "script-src" not in policy
            assert set(policy.values()) == {"'none'", "'self'"}
            for name, value in (("cache-control", "no-store"), ("x-content-type-options", "nosniff")):
                assert shown.all_headers.getall(name) == [value], path
            assert shown.headers["content-type"] == "text/html; charset=utf-8"
            assert "<script" not in shown.page
            assert " style=" not in shown.page
