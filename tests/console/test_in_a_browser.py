"""The console in a real browser: readable by everybody, on a desk and a phone, light and dark, by keyboard alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.axe import find_violations
from tests.support.browser import PHONE as NARROW
from tests.support.browser import measure_overhang, open_page
from tests.support.fraud import findings_of
from tests.support.gateway import OTHER_PHONE, PHONE, Calls, Gateway, read_code, run_gateway

FILL = """
insert into alerts (kind, text, began_at, seen_at, ended_at)
values ('budget', 'GB is spent.', now(), now() + interval '1 hour', null), ('spike', 'More.', now(), now(), now());
insert into activity
select 'minute', date_trunc('minute', now()) - i * interval '1 minute', '', '', '', 9, 1, 6, 2, 4, 1,
       now() + interval '1 day'
from generate_series(1, 59) i on conflict do nothing;
insert into rule_counts
select date_bin('15 minutes', now(), 'epoch'), 'shop', 'US', r, m, 'x', 3
from (values ('', ''), ('bot', 'enforce'), ('vpn', 'observe')) v(r, m) on conflict do nothing;
insert into backtests (id, key_id, policy, version, began_at, seen_at, share)
values ('01a00000-0000-7000-8000-000000000000', 1, '[rules.vpn]', 'abc', now(), now() + interval '1 hour', 0.4)
"""


class Filled(NamedTuple):
    """A gateway with something on every page of its console."""

    gateway: Gateway
    operator: Calls
    suppressed: str

    @property
    def pages(self) -> dict[str, str]:
        return {
            "Now": "/operator",
            "Why no code?": "/operator/why",
            "Verification": f"/operator/verifications/{self.suppressed}",
            "Rules": "/operator/rules",
            "The policy in force": "/operator/rules/policy",
            "Backtest of policy abc": "/operator/backtests/01a00000-0000-7000-8000-000000000000",
            "Blocks": "/operator/blocks",
            "Exemptions": "/operator/exemptions",
            "Clients and keys": "/operator/keys",
            "Callbacks": "/operator/callbacks",
            "Audits": "/operator/audits",
            "Doctor": "/operator/doctor",
        }


@asynccontextmanager
async def run_filled(database_url: str) -> AsyncIterator[Filled]:
    """Run a gateway in which all sorts of things have happened."""
    async with run_gateway(database_url, policy="[budgets]\neach_country = 10\n") as gateway:
        operator = await gateway.client("desk", scope="operator")
        await gateway.database.pool.execute(FILL)
        verified = await gateway.begin(OTHER_PHONE)
        await gateway.verify(verified, await read_code(gateway, OTHER_PHONE))
        suppressed = await gateway.begin("+442079460000")
        await findings_of(gateway, suppressed)
        order = {"phone_number": PHONE, "digits": 4, "duration": "1h", "reason": "Pumped since noon"}
        await operator.call("POST", "/v1/operator/blocks", order)
        order = {"phone_number": OTHER_PHONE, "duration": "1h", "reason": "A person", "limits": True}
        await operator.call("POST", "/v1/operator/exemptions", order)
        while (await gateway.request(PHONE)).status == 202:
            pass
        yield Filled(gateway, operator, suppressed)


async def sign_in(page: Page, key: str) -> None:
    """Sign in by keyboard alone: the field has the focus."""
    await page.keyboard.type(key)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Now")


@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (1280, True), (NARROW, False)], ids=["light", "dark", "on a phone"]
)
async def test_every_page_can_be_read_by_everybody_and_nothing_scrolls_sideways(
    database_url: str, browser: Browser, width: int, *, dark: bool
) -> None:
    async with (
        run_filled(database_url) as filled,
        open_page(browser, f"{filled.gateway.url}/operator", width=width, dark=dark) as page,
    ):
        assert await find_violations(page) == []
        await sign_in(page, filled.operator.key)
        for heading, path in filled.pages.items():
            await page.goto(filled.gateway.url + path)
            await expect(page.locator("h1")).to_have_text(heading)
            assert await find_violations(page) == [], path
            assert await measure_overhang(page) == 0, path
        await page.goto(f"{filled.gateway.url}/operator/why")
        for number in (PHONE, "+442079460000"):
            await page.locator("#what").fill(number)
            await page.get_by_role("button", name="Look it up").click()
            await expect(page.locator("h1")).to_contain_text("get no code?")
            assert await find_violations(page) == []
            assert await measure_overhang(page) == 0
            assert PHONE not in page.url


async def test_why_somebody_got_no_code_is_answered_on_a_phone_by_keyboard_without_javascript(
    database_url: str, browser: Browser
) -> None:
    async with run_filled(database_url) as filled:
        context = await browser.new_context(viewport={"width": NARROW, "height": 844}, java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{filled.gateway.url}/operator/why")
        await sign_in_without_waiting(page, filled.operator.key)
        await page.get_by_label("A phone number").focus()
        await page.keyboard.type("+442079460000")
        await page.keyboard.press("Enter")
        await expect(page.locator("h2").first).to_contain_text("suppressed by country")
        await page.get_by_label("Reason").focus()
        await page.keyboard.type("A person, ticket 4711")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("in force")
        await expect(page.locator("table")).to_contain_text("country")
        await context.close()


async def sign_in_without_waiting(page: Page, key: str) -> None:
    await page.get_by_label("Key").fill(key)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Why no code?")


async def test_a_running_backtest_shows_its_progress_by_itself(database_url: str, browser: Browser) -> None:
    async with (
        run_filled(database_url) as filled,
        open_page(browser, f"{filled.gateway.url}/operator") as page,
    ):
        await sign_in(page, filled.operator.key)
        await page.goto(filled.gateway.url + filled.pages["Backtest of policy abc"])
        await expect(page.get_by_role("status")).to_contain_text("40 % done")
        await filled.gateway.database.pool.execute("update backtests set share = 0.8")
        await expect(page.get_by_role("status")).to_contain_text("80 % done")
        await filled.gateway.database.pool.execute("update backtests set seen_at = now() - interval '1 day'")
        await expect(page.locator("main")).to_contain_text("Interrupted")


async def test_by_keyboard_the_first_stop_leads_to_the_content_and_the_focus_is_seen(
    database_url: str, browser: Browser
) -> None:
    async with (
        run_filled(database_url) as filled,
        open_page(browser, f"{filled.gateway.url}/operator") as page,
    ):
        await sign_in(page, filled.operator.key)
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_text("Skip to the content")
        await expect(page.locator(":focus")).to_be_in_viewport()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_text("Now")
        outline = await page.locator(":focus").evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline == "solid"
        await page.get_by_role("button", name="Sign out").press("Enter")
        await expect(page.locator("h1")).to_have_text("Operators' console")
