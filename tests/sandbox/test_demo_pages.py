"""The sandbox's pages load nothing from elsewhere, show what arrived and what may be chosen, at one address."""

from __future__ import annotations

import base64
import hashlib
import html
import re

import aiohttp
import msgspec

from service.channels import CHANNELS
from service.phone import list_countries
from service.providers.verify.test_numbers import FIXED_CODE, NUMBERS
from service.sandbox.demo.page import PageSettings
from service.sandbox.main import SandboxSettings, create_sandbox
from service.sandbox.telnyx.service import PROFILE_ID, OrderedSend
from tests.support.demo import KEY, PHONE, browse
from tests.support.serving import serve_app


def make_send(phone_number: str = PHONE) -> OrderedSend:
    return OrderedSend(
        channel="sms", phone_number=phone_number, profile_id=PROFILE_ID, timeout_secs=None, custom_code=None
    )


async def test_pages_run_only_their_own_script_and_load_nothing_from_elsewhere() -> None:
    async with browse() as browser:
        for path in ("/demo", "/inbox"):
            response, page = await browser.get(path)
            policy = response.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            for content in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL):
                assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy
            for own in re.findall(r'(?:src|href)="(/[^"]+)"', page):
                assert (await browser.get(own))[0].status == 200
            assert not re.search(r"""\son[a-z]+\s*=|https?://|style=["']|innerHTML|\{\{""", page)


async def test_only_a_public_key_opens_the_page_to_fingerprints_own_hosts() -> None:
    page = PageSettings(channels=("sms",), countries=(), fingerprint_key="pubKey123", fingerprint_region="eu")
    settings = SandboxSettings(gateway_url="http://127.0.0.1:1", gateway_key=KEY, page=page)
    async with serve_app(create_sandbox(settings)) as url, aiohttp.request("GET", f"{url}/demo") as response:
        markup, policy = await response.text(), response.headers["content-security-policy"]
    assert 'data-agent="https://fpjscdn.net/v4/pubKey123" data-api="v4" data-region="eu"' in markup
    assert "script-src 'self' https://fpjscdn.net;" in policy
    hosts = "https://fpjscdn.net https://*.fpjs.io https://*.fptls.com https://*.fptls3.com"
    assert f"connect-src 'self' {hosts};" in policy


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
        _, page = await browser.get("/demo")
    assert re.findall(r'data-number="([^"]+)"', page) == [one.phone_number for one in NUMBERS]
    assert f"<b>{FIXED_CODE}</b>" in page


async def test_the_page_offers_the_channels_and_names_the_countries_that_the_policy_allows() -> None:
    page = PageSettings(channels=("call", "whatsapp"), countries=("US", "CA"))
    settings = SandboxSettings(gateway_url="http://127.0.0.1:1", gateway_key=KEY, page=page)
    async with serve_app(create_sandbox(settings)) as url, aiohttp.request("GET", f"{url}/demo") as response:
        markup = await response.text()
    assert re.findall(r'<option value="([a-z]+)">', markup) == ["call", "whatsapp"]
    assert msgspec.json.decode(html.unescape(markup.split('data-nouns="')[1].split('"')[0])).keys() == CHANNELS.keys()
    assert "Here only numbers of CA, US get codes" in markup
    # The picker has all of them: a shop does not know its gateway's policy.
    assert re.findall(r'<option value="([A-Z]{2})"', markup) == list_countries()


async def test_one_address_serves_all_of_the_sandbox() -> None:
    async with browse() as browser:
        response, page = await browser.get("/")
        assert (response.url.path, response.status) == ("/demo", 200)
        assert "<title>" in page
        for path, status in [("/v2/verify_profiles", 401), ("/v4/events/x", 403), ("/events/x", 403)]:
            assert (await browser.get(path))[0].status == status
        for path in ("/control/faults", "/control/journal", "/control/public-key", "/control/webhooks"):
            assert (await browser.get(path))[0].status == 200
