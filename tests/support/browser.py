"""A real browser, the machine's own Chromium, for pages that are really served; it reaches this machine and no other.

Used by the fixture `browser` and by every test of a page. What a page must never do fails the test that opened it: ask
another host for anything, try what its own policy forbids, or throw.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from tests.support.waiting import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing is looked up, so nothing leaves, whatever a page or the browser itself may ask for.
SHUT_OFF = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# How the browser notes an answer of 400 or more, which may be what a test is about.
ANSWERED = "Failed to load resource: the server responded"
PHONE = 390  # pixels; a desk has 1280


@asynccontextmanager
async def start_browser(*more: str) -> AsyncIterator[Browser]:
    """Run the browser, with `more` arguments, while the context is open; skip the test where the machine has none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium to look at pages with (Debian: apt-get install chromium)")
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=[SHUT_OFF, "--disable-dev-shm-usage", *more], timeout=PATIENCE * 1000
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> AsyncIterator[Page]:
    """Open a page as somebody without a past sees it. AssertionError at the end, naming what it must not have done."""
    context = await browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(PATIENCE * 1000)
    origin = "/".join(url.split("/")[:3]) + "/"
    faults: list[str] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith((origin, "data:", "blob:")):
            faults.append(f"asked for {request.url}")

    def note_message(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(ANSWERED):
            faults.append(f"complained: {message.text}")

    context.on("request", note_request)
    context.on("console", note_message)
    context.on("weberror", lambda error: faults.append(f"threw {error.error}"))
    page = await context.new_page()
    await page.goto(url)
    yield page
    await context.close()
    assert not faults, "; ".join(faults)


async def find_small_targets(page: Page, least: int = 44) -> list[str]:
    """List what is smaller than a finger needs, in pixels: a checkbox is as large as its label."""
    found: list[str] = await page.evaluate(
        """least => [...document.querySelectorAll("button, a:not(.skip), input, select, summary")]
          .filter((one) => one.offsetParent)
          .map((one) => (one.type === "checkbox" && one.closest("label")) || one)
          .filter((one) => one.getBoundingClientRect().height < least)
          .map((one) => one.outerHTML.slice(0, 120))""",
        least,
    )
    return found


async def measure_overhang(page: Page) -> int:
    """Return by how many pixels the page is wider than its window; 0 where nothing scrolls sideways."""
    root = "document.documentElement"
    return int(await page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))
