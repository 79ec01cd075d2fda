"""The demo page leads from a number to a verified number, and keeps the gateway's key from the browser."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from litestar import Litestar, Request, Response, route

from service.channels import CHANNELS
from service.providers.verify.test_numbers import FIXED_CODE, NUMBERS
from service.sandbox.main import SandboxSettings, create_sandbox
from service.sandbox.telnyx.service import PROFILE_ID, OrderedSend, SimulatedTelnyx, TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.support.serving import serve_app

KEY = "vg_the_key_of_the_demo"
PHONE = "+13125550142"


class Gateway:
    """Stands for the gateway: notes what it was asked, and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.answer = Response[Any]({"id": "ver_1", "status": "pending"}, status_code=202)

    def create_app(self) -> Litestar:
        @route(["/", "/{path:path}"], http_method=["GET", "POST"])
        async def take(request: Request[Any, Any, Any]) -> Response[Any]:
            body = msgspec.json.decode(await request.body() or b"null")
            self.asked.append((request.method, request.url.path, dict(request.headers), body))
            return self.answer

        return Litestar([take], openapi_config=None, logging_config=None)


class Browser:
    """A browser at the demo: keeps cookies and sees only what a browser sees."""

    def __init__(self, url: str, session: aiohttp.ClientSession, telnyx: SimulatedTelnyx, gateway: Gateway) -> None:
        self.url = url
        self.session = session
        self.telnyx = telnyx
        self.gateway = gateway
        self.seen = ""

    async def get(self, path: str) -> tuple[aiohttp.ClientResponse, str]:
        async with self.session.get(self.url + path) as response:
            text = await response.text()
            self.seen += text + str(response.headers)
            return response, text

    async def post(self, path: str, body: Any) -> tuple[aiohttp.ClientResponse, Any]:
        async with self.session.post(self.url + path, json=body) as response:
            self.seen += await response.text() + str(response.headers)
            return response, await response.json()


@asynccontextmanager
async def browse(gateway_url: str | None = None) -> AsyncIterator[Browser]:
    gateway = Gateway()
    jar = aiohttp.CookieJar(unsafe=True)
    telnyx = TelnyxSettings(manners=Manners(delivered_after=0.0))
    async with serve_app(gateway.create_app()) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        app = create_sandbox(SandboxSettings(gateway_url=gateway_url or url, gateway_key=KEY, telnyx=telnyx))
        async with serve_app(app) as sandbox:
            yield Browser(sandbox, session, app.state.telnyx, gateway)


def make_send(phone_number: str = PHONE) -> OrderedSend:
    return OrderedSend(
        channel="sms", phone_number=phone_number, profile_id=PROFILE_ID, timeout_secs=None, custom_code=None
    )


async def test_the_backend_asks_the_gateway_as_a_product_would() -> None:
    async with browse() as browser:
        await browser.get("/demo")
        response, body = await browser.post("/demo/request", {"phone_number": PHONE, "channel": "call"})
        assert (response.status, body["id"]) == (202, "ver_1")
        method, path, headers, asked = browser.gateway.asked[0]
    assert (method, path, headers["authorization"]) == ("POST", "/v1/verifications", f"Bearer {KEY}")
    assert (asked["phone_number"], asked["channel"], asked["deliver"]) == (PHONE, "call", True)
    assert re.fullmatch(r"2001:db8:[0-9a-f]+:[0-9a-f]+::1", asked["ip_address"])
    assert re.fullmatch(r"[0-9]{13}\.[A-Za-z0-9]{6}", asked["device_event_id"])


async def test_the_key_never_reaches_the_browser() -> None:
    async with browse() as browser:
        for path in ("/", "/demo", "/demo/numbers", "/inbox", "/inbox.json"):
            await browser.get(path)
        await browser.post("/demo/request", {"phone_number": PHONE})
        for path in ("/demo/verify", "/demo/fallback", "/demo/status"):
            await browser.post(path, {"id": "ver_1", "code": "123456"})
        assert len(browser.gateway.asked) == 4
        assert KEY not in browser.seen


async def test_a_visitor_keeps_an_address_until_the_page_is_opened_again() -> None:
    async with browse() as browser:
        for _ in range(2):
            await browser.get("/demo")
            for _ in range(2):
                await browser.post("/demo/request", {"phone_number": PHONE})
        first, second, third, fourth = [body["ip_address"] for *_, body in browser.gateway.asked]
    assert first == second
    assert third == fourth
    assert first != third


async def test_a_bot_brings_an_event_that_says_so_and_a_stranger_is_a_decoy() -> None:
    async with browse() as browser:
        for visitor in ("bot", "stranger"):
            await browser.post("/demo/request", {"phone_number": PHONE, "visitor": visitor})
        (*_, bot), (*_, stranger) = browser.gateway.asked
        headers = {"authorization": "Bearer SANDBOX_FINGERPRINT_SECRET"}
        async with browser.session.get(
            f"{browser.url}/v4/events/{bot['device_event_id']}", headers=headers
        ) as response:
            event = await response.json()
    assert (event["bot"], event["ip_address"]) == ("bad", bot["ip_address"])
    assert (bot["deliver"], stranger["deliver"]) == (True, False)


async def test_what_the_gateway_says_is_passed_on_with_its_status_and_retry_after() -> None:
    async with browse() as browser:
        problem = {"title": "Too many requests", "status": 429}
        browser.gateway.answer = Response(problem, status_code=429, headers={"retry-after": "42"})
        response, body = await browser.post("/demo/verify", {"id": "ver_1", "code": "123456"})
    assert (response.status, response.headers["retry-after"], body) == (429, "42", problem)


async def test_an_id_that_is_not_one_never_becomes_a_path() -> None:
    async with browse() as browser:
        for path in ("/demo/verify", "/demo/fallback", "/demo/status"):
            for forged in ("../operator/search", "a/b", "", "%2e%2e", "x" * 65, "ver_1\n"):
                response, _ = await browser.post(path, {"id": forged, "code": "123456"})
                assert response.status == 400
        assert not browser.gateway.asked


async def test_a_gateway_that_is_not_there_is_a_sentence() -> None:
    async with browse("http://127.0.0.1:1") as browser:
        response, body = await browser.post("/demo/request", {"phone_number": PHONE})
    assert response.status == 502
    assert "Is it running?" in body["detail"]


async def test_pages_run_only_their_own_script_and_load_nothing_from_elsewhere() -> None:
    async with browse() as browser:
        for path in ("/demo", "/inbox"):
            response, page = await browser.get(path)
            policy = response.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            for content in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL):
                assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy
            assert not re.search(r"""\son[a-z]+\s*=|https?://|style=["']|innerHTML""", page)


async def test_the_inbox_shows_codes_once_they_have_arrived() -> None:
    async with browse() as browser:
        profile = browser.telnyx.profiles.find(PROFILE_ID)
        assert profile is not None
        arrived = browser.telnyx.send(make_send(), profile)
        lost = browser.telnyx.send(make_send("+14155550101"), profile)
        _, text = await browser.get("/inbox.json")
        newest, oldest = msgspec.json.decode(text)
        assert (oldest["phone_number"], oldest["code"], oldest["state"]) == (PHONE, arrived.code, "received")
        assert (newest["id"], newest["code"], newest["state"]) == (lost.id, None, "never arrives")
        _, page = await browser.get("/inbox")
        assert arrived.code in page
        _, found = await browser.post("/control/inbox", {"phone_number": PHONE})
        assert [one["id"] for one in found] == [arrived.id]


async def test_the_inbox_escapes_what_it_shows() -> None:
    async with browse() as browser:
        profile = browser.telnyx.profiles.find(PROFILE_ID)
        assert profile is not None
        browser.telnyx.send(make_send("<script>alert(1)</script>{{empty}}"), profile)
        _, page = await browser.get("/inbox")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "{{empty}}" in page


async def test_the_page_lists_the_numbers_that_always_behave_in_one_way() -> None:
    async with browse() as browser:
        _, text = await browser.get("/demo/numbers")
    listed = msgspec.json.decode(text)
    assert listed["code"] == FIXED_CODE
    assert [one["phone_number"] for one in listed["numbers"]] == [one.phone_number for one in NUMBERS]


async def test_the_page_offers_the_channels_that_the_sandbox_was_told_and_can_name_them_all() -> None:
    settings = SandboxSettings(gateway_url="http://127.0.0.1:1", gateway_key=KEY, channels=["call", "whatsapp"])
    async with serve_app(create_sandbox(settings)) as url, aiohttp.request("GET", f"{url}/demo") as response:
        page = await response.text()
    assert re.findall(r'<option value="(\w+)">', page)[:3] == ["call", "whatsapp", "person"]
    assert msgspec.json.decode(page.split("const channels = ")[1].split(";")[0]).keys() == CHANNELS.keys()


async def test_one_address_serves_all_of_the_sandbox() -> None:
    async with browse() as browser:
        response, page = await browser.get("/")
        assert (response.url.path, response.status) == ("/demo", 200)
        assert "<title>" in page
        for path, status in [("/v2/verify_profiles", 401), ("/v4/events/x", 403), ("/events/x", 403)]:
            assert (await browser.get(path))[0].status == status
        for path in ("/control/faults", "/control/journal", "/control/public-key", "/control/webhooks"):
            assert (await browser.get(path))[0].status == 200
