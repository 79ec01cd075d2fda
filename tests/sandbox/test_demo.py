"""The sign-up page's backend asks as a product would, keeps keys from browsers, and speaks to people as people do."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from litestar import Response

from service.api.problems import KINDS
from service.sandbox.demo.wording import tell_wait
from tests.support.demo import BROWSER_SEEN, KEY, OPERATOR_KEY, PHONE, browse


async def test_the_backend_asks_the_gateway_as_a_product_would() -> None:
    async with browse() as browser:
        await browser.get("/demo")
        form = {"phone_number": "(312) 555-0142", "name": "Ada", "channel": "call", "event_id": "1708102555327.NLOjmg"}
        response, body = await browser.post("/demo/request", form)
        assert (response.status, body["id"], body["phone_number"]) == (202, "ver_1", PHONE)
        method, path, headers, asked = browser.gateway.asked[0]
    assert (method, path, headers["authorization"]) == ("POST", "/v1/verifications", f"Bearer {KEY}")
    address = asked.pop("ip_address")
    assert re.fullmatch(r"2001:db8:[0-9a-f]+:[0-9a-f]+::1", address)
    assert asked == {
        "phone_number": PHONE,
        "channel": "call",
        "device_event_id": "1708102555327.NLOjmg",
        "deliver": True,
    }


@pytest.mark.parametrize(
    ("typed", "country", "number"),
    [
        ("(312) 555-0142", "US", "+13125550142"),
        ("020 7946 0100", "GB", "+442079460100"),
        ("+44 20 7946 0100", "US", "+442079460100"),
        ("030 12345678", "DE", "+493012345678"),
        ("06 1234 5678", "NL", "+31612345678"),
        ("", "US", None),
        ("12", "US", None),
        ("Ada", "US", None),
        ("312 555 0142 ext. 3", "US", None),
    ],
)
async def test_a_number_is_read_as_it_is_dialled_in_its_country(typed: str, country: str, number: str | None) -> None:
    async with browse() as browser:
        response, body = await browser.post("/demo/request", {"phone_number": typed, "country": country})
        if number is None:
            assert (response.status, body["field"]) == (422, "phone_number")
            assert not browser.gateway.asked
        else:
            assert browser.gateway.asked[0][3]["phone_number"] == number


async def test_no_key_ever_reaches_the_browser() -> None:
    async with browse() as browser:
        for path in ("/", "/demo", "/demo/shop.js", "/demo/panel.js", "/fingerprint/agent.js", "/inbox", "/inbox.json"):
            assert (await browser.get(path))[0].status == 200
        await browser.post("/demo/request", {"phone_number": PHONE})
        for path in ("/demo/verify", "/demo/fallback", "/demo/status", "/demo/decided"):
            await browser.post(path, {"id": "ver_1", "code": "123456"})
        assert len(browser.gateway.asked) == 5
        assert KEY not in browser.seen
        assert OPERATOR_KEY not in browser.seen


async def test_only_the_panel_asks_with_the_operators_key() -> None:
    async with browse() as browser:
        for path in ("/demo/verify", "/demo/fallback", "/demo/status", "/demo/decided"):
            await browser.post(path, {"id": "ver_1", "code": "123456"})
        keys = [(path, headers["authorization"]) for _, path, headers, _ in browser.gateway.asked]
    assert [path for path, key in keys if key == f"Bearer {OPERATOR_KEY}"] == ["/v1/operator/verifications/ver_1"]
    assert {key for path, key in keys if "operator" not in path} == {f"Bearer {KEY}"}


async def test_a_visitor_keeps_an_address_and_another_browser_has_another() -> None:
    seen = []
    for _ in range(2):
        async with browse() as browser:
            for _ in range(2):
                await browser.get("/demo")
                await browser.post("/demo/request", {"phone_number": PHONE})
            first, second = [body["ip_address"] for *_, body in browser.gateway.asked]
            assert first == second
            seen.append(first)
    assert seen[0] != seen[1]


async def test_a_number_without_an_account_is_a_decoy_and_a_page_without_an_agent_brings_no_event() -> None:
    async with browse() as browser:
        await browser.post("/demo/request", {"phone_number": PHONE, "registered": False})
        ((*_, asked),) = browser.gateway.asked
    assert asked["deliver"] is False
    assert "device_event_id" not in asked


@pytest.mark.parametrize(
    ("changes", "bot"),
    [
        ({}, "not_detected"),
        ({"webdriver": True}, "bad"),
        ({"user_agent": "Mozilla/5.0 HeadlessChrome/140.0"}, "bad"),
        ({"languages": []}, "bad"),
        ({"plugins": 0}, "bad"),
        ({"plugins": 0, "mobile": True}, "not_detected"),
        ({"window": [0, 0]}, "bad"),
        ({"window": [0, 0], "plugins": 0, "mobile": True}, "not_detected"),
        ({"globals": ["callPhantom"]}, "bad"),
    ],
)
async def test_the_stand_ins_agent_reports_a_bot_by_what_it_saw_of_the_browser(
    changes: dict[str, Any], bot: str
) -> None:
    async with browse() as browser:
        await browser.get("/demo")
        _, made = await browser.post("/fingerprint/identify", BROWSER_SEEN | changes)
        await browser.post("/demo/request", {"phone_number": PHONE, "event_id": made["event_id"]})
        headers = {"authorization": "Bearer SANDBOX_FINGERPRINT_SECRET"}
        async with browser.session.get(f"{browser.url}/v4/events/{made['event_id']}", headers=headers) as response:
            event = await response.json()
        assert event["bot"] == bot
        assert event["ip_address"] == browser.gateway.asked[0][3]["ip_address"]
        assert event["identification"]["visitor_id"] == made["visitor_id"]


async def test_a_device_is_one_in_every_window_and_another_device_another() -> None:
    async with browse() as browser:
        visitors = [
            (await browser.post("/fingerprint/identify", BROWSER_SEEN | changes))[1]["visitor_id"]
            for changes in ({}, {"window": [390, 844]}, {"device": ["Linux x86_64", 8]})
        ]
    assert visitors[0] == visitors[1] != visitors[2]


@pytest.mark.parametrize("kind", sorted({kind.name for kind in KINDS.values()}))
@pytest.mark.parametrize("path", ["/demo/request", "/demo/verify"])
async def test_every_problem_of_the_gateway_is_a_sentence_for_people(kind: str, path: str) -> None:
    problem = next(one for one in KINDS.values() if one.name == kind).example()
    async with browse() as browser:
        headers = {} if problem.retry_after is None else {"retry-after": str(problem.retry_after)}
        browser.gateway.answer = Response(problem, status_code=problem.status, headers=headers)
        response, body = await browser.post(path, {"phone_number": PHONE, "id": "ver_1", "code": "123456"})
    assert response.status == problem.status
    assert "retry-after" not in response.headers
    assert re.fullmatch(r"[A-Z][A-Za-z0-9 ,:'-]+\.( [A-Z][A-Za-z0-9 ,:'-]+\.)*", body["text"])
    for word in (problem.detail, problem.title, "Retry-After", "Telnyx", "Expected", "{"):
        assert word not in body["text"]
    assert body["ended"] == problem.verification_status


def test_a_wait_is_told_as_people_do() -> None:
    told = {seconds: tell_wait(seconds) for seconds in (1, 2, 89, 90, 91, 600, 3600, 5400, 86_400)}
    assert told == {
        1: "1 second", 2: "2 seconds", 89: "89 seconds", 90: "2 minutes", 91: "2 minutes", 600: "10 minutes",
        3600: "60 minutes", 5400: "2 hours", 86_400: "24 hours",
    }  # fmt: skip


async def test_an_id_that_is_not_one_never_becomes_a_path() -> None:
    async with browse() as browser:
        for path in ("/demo/verify", "/demo/fallback", "/demo/status", "/demo/decided"):
            for forged in ("../operator/search", "a/b", "", "%2e%2e", "x" * 65, "ver_1\n"):
                response, _ = await browser.post(path, {"id": forged, "code": "123456"})
                assert response.status == 400
        assert not browser.gateway.asked


HUGE = msgspec.json.encode(BROWSER_SEEN | {"window": [9**15], "device": ["\x00", 9**15]})
PATHS = ["request", "verify", "fallback", "status", "decided"]


@pytest.mark.parametrize("path", [*(f"/demo/{name}" for name in PATHS), "/fingerprint/identify", "/control/faults"])
async def test_no_body_is_a_defect_of_the_sandbox(path: str) -> None:
    deep = b"[" * 50_000, b'{"id":' * 50_000
    texts = b"\xff", b'{"id":"\xed\xa0\x80"}', b'{"id":"\\ud800"}', b'{"id":"x","code":"\\ud800"}'
    async with browse() as browser:
        for body in (b"", b"null", b"1e999", b"9" * 5000, HUGE, *deep, *texts):
            async with browser.session.post(browser.url + path, data=body) as response:
                assert response.status < 500 or response.status == 502, (body[:20], await response.text())


async def test_another_sites_page_can_ask_the_sandbox_for_nothing() -> None:
    """The sandbox is on the machine of whoever also reads other pages, and browsers reach it for those too."""
    async with browse() as browser:
        for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
            for path in ("/control/inbox", "/fingerprint/identify"):
                body = msgspec.json.encode(BROWSER_SEEN | {"phone_number": PHONE})
                headers = {"content-type": "text/plain", "sec-fetch-site": site}
                async with browser.session.post(browser.url + path, data=body, headers=headers) as response:
                    assert response.status == status, (site, path)


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [
        ("request", {"phone_number": "1" * 81}, "phone_number"),
        ("request", {"phone_number": 3125550142}, "phone_number"),
        ("request", {"phone_number": PHONE, "channel": "pigeon"}, "channel"),
        ("request", {"phone_number": PHONE, "name": "A" * 201}, None),
        ("request", {"phone_number": PHONE, "country": "usa"}, None),
        ("request", {}, None),
        ("verify", {"id": "ver_1", "code": None}, "code"),
        ("verify", [], None),
        ("fallback", {"id": "../x"}, None),
        ("status", "ver_1", None),
    ],
)
async def test_a_form_that_the_page_never_sends_is_answered_in_words_for_people(
    path: str, form: Any, field: str | None
) -> None:
    async with browse() as browser:
        response, body = await browser.post(f"/demo/{path}", form)
        assert not browser.gateway.asked
    assert (response.status, body["field"]) == (400, field)
    assert re.fullmatch(r"([A-Z][A-Za-z0-9 ,:'-]+\. ?)+", body["text"])
    assert "Expected" not in str(body)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        ("123 456", "123456"),
        (" 123-456\n", "123456"),
        ("\uff11\uff12\uff13\u00a0\uff14\uff15\uff16", "123456"),
        ("\u0661\u0662\u0663\u0664\u0665\u0666", "123456"),
        ("12a", "12a"),
        ("-", "-"),
        ("", ""),
    ],
)
async def test_a_code_is_read_as_people_type_it(typed: str, code: str) -> None:
    async with browse() as browser:
        await browser.post("/demo/verify", {"id": "ver_1", "code": typed})
        assert browser.gateway.asked[0][3] == {"code": code}


async def test_a_gateway_that_is_not_there_is_a_sentence() -> None:
    async with browse("http://127.0.0.1:1") as browser:
        response, body = await browser.post("/demo/request", {"phone_number": PHONE})
    assert (response.status, body["text"]) == (502, "Something is wrong on our side. Please try again later.")
