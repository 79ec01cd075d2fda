"""The sandbox's sign-up page in front of a real gateway, and browsers that look like a person's and like a bot's.

Used by the browser tests of the page. One app is the page, the phones, Telnyx and Fingerprint, as in the sandbox.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from playwright.async_api import Browser, Page, expect

from service.channels import CHANNELS
from service.phone import list_countries
from service.sandbox.demo.page import PageSettings
from service.sandbox.fingerprint.service import FingerprintSettings, SimulatedFingerprint
from service.sandbox.main import SandboxSettings, create_sandbox
from service.sandbox.telnyx.service import SimulatedTelnyx, TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.support.browser import open_page
from tests.support.gateway import POLICY, Gateway, run_gateway
from tests.support.ports import free_port
from tests.support.serving import serve_app

# What is left when the marks of automation are taken away: as far as the stand-in's agent can tell, a person's.
PERSON = (
    "--disable-blink-features=AutomationControlled",
    "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
)
QUICK = '[fallback]\nafter = "2s"\n'  # people have half a minute; a test has not


class Shop(NamedTuple):
    """A sign-up page, and what is behind it."""

    url: str
    gateway: Gateway
    telnyx: SimulatedTelnyx
    fingerprint: SimulatedFingerprint

    def codes(self, phone_number: str) -> list[str]:
        """Return the codes that a phone has got, the newest first."""
        return [one.code for one in self.telnyx.verifications.list_by_phone(phone_number) if one.arrived()]


@asynccontextmanager
async def run_shop(
    database_url: str, *, policy: str = POLICY + QUICK, fingerprint_key: str | None = None, api: str = "v4"
) -> AsyncIterator[Shop]:
    """Serve a gateway, and all of the sandbox around it."""
    port = free_port()
    stage = f"http://127.0.0.1:{port}"
    async with run_gateway(
        database_url,
        policy=policy,
        FINGERPRINT_BASE_URL=stage,
        FINGERPRINT_SECRET_KEY=FingerprintSettings().secret_key,
        FINGERPRINT_API=api,
        TELNYX_BASE_URL=f"{stage}/v2",
    ) as gateway:
        operator = await gateway.client("desk", scope="operator")
        page = PageSettings(
            channels=tuple(CHANNELS), countries=tuple(list_countries()), fingerprint_key=fingerprint_key,
            fingerprint_api="v3" if api == "v3" else "v4",
        )  # fmt: skip
        settings = SandboxSettings(
            gateway_url=gateway.url, gateway_key=gateway.key, operator_key=operator.key, page=page,
            telnyx=TelnyxSettings(manners=Manners(delivered_after=0.0)),
        )  # fmt: skip
        app = create_sandbox(settings)
        async with serve_app(app, port=port):
            yield Shop(f"{stage}/demo", gateway, app.state.telnyx, app.state.fingerprint)


@asynccontextmanager
async def visit(browser: Browser, shop: Shop, *, width: int = 1280, dark: bool = False) -> AsyncIterator[Page]:
    """Open the page on a device that no other test has asked from: a device gets five codes."""
    async with open_page(browser, shop.url, width=width, dark=dark) as page:
        await page.evaluate("sessionStorage.setItem('device', String(Math.random()))")
        yield page


async def ask_for_code(page: Page, phone: str, *, country: str = "US", name: str = "Ada") -> None:
    """Fill in the first form and send it."""
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Country").select_option(country)
    await page.get_by_label("Phone number").fill(phone)
    await page.get_by_role("button", name="Send code").click()


async def read_verdict(page: Page, words: str) -> None:
    """Wait until the panel says so."""
    await expect(page.locator("#verdict")).to_contain_text(words)
