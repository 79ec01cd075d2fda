"""Signs up as a bot does: a headless browser fills in the sandbox's page, and prints what it is told.

It is told what everybody is, and gets no code: see README.md. For the sandbox only.
"""

from __future__ import annotations

import argparse
import shutil
from contextlib import suppress

from playwright.sync_api import Error, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Fill in the page for each number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8081/demo", help="the sign-up page")
    parser.add_argument("--name", default="Bot")
    parser.add_argument("numbers", nargs="*", default=["+13125550142"], help="the numbers to have codes sent to")
    given = parser.parse_args()
    # The machine's own browser if it has one, else Playwright's.
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-dev-shm-usage"])
        for number in given.numbers:
            page = browser.new_page()
            try:
                page.goto(given.url)
            except Error:
                raise SystemExit(f"There is no page at {given.url}: is the sandbox running (make sandbox)?") from None
            page.get_by_label("Name").fill(given.name)
            page.get_by_label("Phone number").fill(number)
            page.get_by_role("button", name="Send code").click()
            told = page.locator("#sent-to, [role=alert]").filter(has_text=".")
            print(f"{number}: {told.first.inner_text()}", flush=True)
            # Only the sandbox's page has this panel: what an operator sees, and the bot's owner never would.
            with suppress(Error):
                verdict = page.locator("#verdict", has_text="code went out")
                print(f"  (the sandbox's panel: {verdict.inner_text(timeout=15_000)})", flush=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
