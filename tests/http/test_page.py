"""The API's page in a real browser: what it shows, that a call can be made from it, and how it looks on a phone."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.http.test_openapi import DOCUMENT, OPERATIONS, follow
from tests.support.browser import PHONE, measure_overhang, open_page
from tests.support.gateway import run_gateway

# Of products, operators and Telnyx, each with the most to show: all of them open take a browser half a minute.
ONE_OF_EACH = ("requestVerification", "inspectVerification", "receiveTelnyxWebhook")
GREY = 128


async def measure_brightness(page: Page, selector: str) -> float:
    """Return how bright a text is: 0 is black, 255 white."""
    color = await page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
    red, green, blue = (int(part) for part in color.strip("rgba()").split(",")[:3])
    return (red + green + blue) / 3


def find_call(page: Page, name: str) -> Locator:
    return page.locator(f"[id$='-{name}'].opblock")


async def open_call(page: Page, name: str) -> Locator:
    call = find_call(page, name)
    await call.locator(".opblock-summary-control").click()
    return call


async def give_key(page: Page, key: str) -> None:
    await page.locator(".auth-wrapper .authorize").first.click()
    await page.locator(".auth-container input").fill(key)
    await page.locator(".auth-container input").press("Enter")
    await expect(page.locator(".auth-container")).to_contain_text("Authorized")
    await page.locator(".btn-done").click()


def list_examples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: example["value"] for name, example in content["examples"].items()}


async def test_all_that_the_page_needs_is_served_here_and_its_policy_lets_in_nothing_else(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        page = (await gateway.call("GET", "/schema")).body.decode()
        for path in ["/schema", *re.findall(r'(?:src|href)="(/[^"]+)"', page)]:
            reply = await gateway.call("GET", path)
            assert reply.status == 200, path
            policy = dict(rule.split(" ", 1) for rule in reply.headers["content-security-policy"].split("; "))
            assert policy.pop("img-src") == "data:"  # the arrows in the viewer's style
            assert set(policy.values()) == {"'none'", "'self'"}, path
            assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"


async def test_the_page_shows_every_call_and_whole_examples_of_requests_and_problems(
    database_url: str, browser: Browser
) -> None:
    async with run_gateway(database_url) as gateway, open_page(browser, f"{gateway.url}/schema") as page:
        for name in OPERATIONS:
            await expect(find_call(page, name)).to_be_visible()
        call = await open_call(page, "requestVerification")
        operation = OPERATIONS["requestVerification"]
        wanted = list_examples(operation["requestBody"]["content"]["application/json"])
        await expect(call.locator(".opblock-section-request-body .examples-select option")).to_have_text(list(wanted))
        for status, response in operation["responses"].items():
            row = call.locator(f".response[data-code='{status}']")
            ((media_type, content),) = follow(response)["content"].items()
            await expect(row.locator(".content-type")).to_have_value(media_type)
            await expect(row.locator(".response-col_description__inner")).to_have_text(follow(response)["description"])
            shown = await row.locator(".highlight-code").inner_text()
            assert json.loads(shown) in list_examples(content).values(), status


async def test_a_call_can_be_made_from_the_page_with_a_key_that_is_typed_into_it(
    database_url: str, browser: Browser
) -> None:
    async with (
        run_gateway(database_url) as gateway,
        open_page(browser, f"{gateway.url}/schema", width=PHONE) as page,
    ):
        call = await open_call(page, "requestVerification")
        await call.locator(".try-out__btn").click()
        await call.locator(".execute").click()
        answer = call.locator(".live-responses-table .response")
        await expect(answer.locator(".response-col_status")).to_contain_text("401")
        await give_key(page, gateway.key)
        await call.locator(".execute").click()
        await expect(answer.locator(".response-col_status")).to_contain_text("202")
        await expect(answer).to_contain_text("attempts_remaining")
        assert await gateway.database.pool.fetchval("select count(*) from verifications") == 1
        assert await measure_overhang(page) == 0
        assert gateway.key not in page.url
        await page.reload()
        await expect(page.locator(".auth-wrapper .authorize.unlocked").first).to_be_visible()


async def test_on_a_phone_nothing_scrolls_sideways_and_light_and_dark_are_as_the_browser_prefers(
    database_url: str, browser: Browser
) -> None:
    async with (
        run_gateway(database_url) as gateway,
        open_page(browser, f"{gateway.url}/schema", width=PHONE) as page,
    ):
        await expect(page.locator(".opblock")).to_have_count(len(OPERATIONS) + len(DOCUMENT["webhooks"]))
        assert await measure_overhang(page) == 0
        assert await measure_brightness(page, ".info .title") < GREY
        for name in ONE_OF_EACH:
            call = await open_call(page, name)
            await expect(call.locator(".responses-table")).to_be_visible()
        assert await measure_overhang(page) == 0
        await page.emulate_media(color_scheme="dark")
        await expect(page.locator("html.dark-mode")).to_be_attached()
        assert await measure_brightness(page, ".info .title") > GREY
        assert await measure_brightness(page, ".response .header-col") > GREY
