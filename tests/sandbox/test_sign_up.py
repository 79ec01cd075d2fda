"""The sign-up page in a real browser: a person gets in, a bot gets the same answer and no code, and anybody can use it.

What the page says is for people; what the gateway decided stands in the sandbox's panel.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Browser, Page, Route, expect

from service.sandbox.fingerprint.events import Mint
from tests.support.axe import find_violations
from tests.support.browser import PHONE as NARROW
from tests.support.browser import find_small_targets, measure_overhang, open_page, start_browser
from tests.support.gateway import PHONE, wrong
from tests.support.shop import PERSON, QUICK, Shop, ask_for_code, read_verdict, run_shop, visit
from tests.support.waiting import until

BOT = Path(__file__).parents[2] / "examples" / "signup-bot" / "bot.py"
NATIONAL = "(312) 555-0142"
# Words of the API and of its parsers, which no person should have to read.
FOR_DEVELOPERS = re.compile(
    r"Retry-After|Expected `|length >=|\bE\.164\b|\bHTTP\b|(?<!\+)\b4\d\d\b|urn:|undefined|null|NaN|_"
)


@pytest.fixture(scope="module")
async def person() -> AsyncIterator[Browser]:
    """Answer a browser without the marks of automation."""
    async with start_browser(*PERSON) as browser:
        yield browser


@pytest.fixture(scope="module")
async def shop(shared_database_url: str) -> AsyncIterator[Shop]:
    """Answer a sandbox for the tests that need no policy of their own; each has numbers and devices of its own."""
    async with run_shop(shared_database_url) as running:
        yield running


def code_of(shop: Shop, phone_number: str) -> str:
    """Return the newest code that a phone has got."""
    return shop.codes(phone_number)[0]


async def told(page: Page) -> str:
    return str(await page.locator("#shop").inner_text())


async def test_a_person_gets_a_code_pastes_the_whole_message_and_is_in(shop: Shop, person: Browser) -> None:
    async with visit(person, shop) as page:
        await ask_for_code(page, NATIONAL, name="محمد")
        await expect(page.locator("#sent-to")).to_contain_text(PHONE)
        await read_verdict(page, "Allowed: a code went out by sms")
        code = await page.locator("#messages li.mine b").first.inner_text()
        field = page.get_by_label("Code")
        assert await field.get_attribute("autocomplete") == "one-time-code"
        assert await field.get_attribute("inputmode") == "numeric"
        await expect(field).to_be_focused()
        await field.fill(wrong(code))
        await page.get_by_role("button", name="Verify").click()
        await expect(page.locator("#code-note")).to_contain_text("not the code")
        await expect(page.locator("#expiry")).to_contain_text("4 attempts left")
        message = f"Corner Shop: your code is {code[:3]}-{code[3:]}. Do not share it."
        await field.evaluate(
            """(field, text) => {
              const data = new DataTransfer();
              data.setData("text", text);
              field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, cancelable: true }));
            }""",
            message,
        )
        await expect(page.locator("h1:visible")).to_have_text("Welcome!")
        await expect(page.locator("#step-end p")).to_have_text(
            "محمد, your number is verified, and your account is ready."
        )
        await expect(page.locator("#events")).to_contain_text("verified")


async def test_a_bot_gets_the_answer_that_everybody_gets_and_no_code(
    shop: Shop, browser: Browser, person: Browser
) -> None:
    said, numbers = [], ("+12025550121", "+12025550122")
    for who, number, verdict in ((browser, numbers[0], "Suppressed by bot"), (person, numbers[1], "Allowed")):
        async with visit(who, shop) as page:
            await ask_for_code(page, number)
            await read_verdict(page, verdict)
            said.append(re.sub(r"\d+", "", await told(page)))
    assert said[0] == said[1]
    assert [len(shop.codes(number)) for number in numbers] == [0, 1]


async def test_the_panel_says_what_the_agent_noticed_and_how_it_came_to_that(shop: Shop, browser: Browser) -> None:
    async with visit(browser, shop) as page:
        await ask_for_code(page, "+12025550123")
        await read_verdict(page, "Suppressed by bot: no code went out.")
        await expect(page.locator("#rules")).to_contain_text("bot: bot bad")
        await expect(page.locator("#rules")).to_contain_text("the device is an automated browser")
        await expect(page.locator("#rules")).to_contain_text("enforced")
        place = await page.locator("#console").get_attribute("href")
        assert str(place).startswith(f"{shop.gateway.url}/operator/verifications/")
        for words in ("navigator.webdriver is true", "a headless browser's user agent", "US, fixed or mobile"):
            await expect(page.locator("#seen")).to_contain_text(words)
        await expect(page.locator("#told")).to_contain_text('"status":"pending"')


async def test_one_device_gets_five_codes_and_then_none_in_a_private_window_either(shop: Shop, person: Browser) -> None:
    async with open_page(person, shop.url) as page:
        for last in range(5):
            await ask_for_code(page, f"+1404555010{last}")
            await read_verdict(page, "Allowed: a code went out")
            await page.get_by_role("button", name="Use another number").click()
        await ask_for_code(page, "+14045550105")
        await read_verdict(page, "Suppressed by device")
    # Each page that is opened is a context of its own, without cookies or storage of another: a private window.
    async with open_page(person, shop.url) as page:
        await ask_for_code(page, "+14045550106")
        await read_verdict(page, "Suppressed by device")
        await expect(page.locator("#sent-to")).to_contain_text("is on its way")
        await page.get_by_role("button", name="Pretend to be another device").click()
        await page.get_by_role("button", name="Use another number").click()
        await ask_for_code(page, "+14045550107")
        await read_verdict(page, "Allowed: a code went out")
    assert [len(shop.codes(f"+1404555010{last}")) for last in range(8)] == [1, 1, 1, 1, 1, 0, 0, 1]


async def test_a_private_window_that_tells_less_is_still_the_same_device(shop: Shop, person: Browser) -> None:
    identify = "import('/fingerprint/agent.js').then(agent => agent.start().get()).then(made => made.visitor_id)"
    seen = []
    for languages, processors in (["de-DE", "de", "en"], 16), (["de-DE"], 4):
        context = await person.new_context()
        for name, value in (("languages", languages), ("hardwareConcurrency", processors)):
            told = f"{{ get: () => {msgspec.json.encode(value).decode()} }}"
            await context.add_init_script(f"Object.defineProperty(navigator, '{name}', {told})")
        page = await context.new_page()
        await page.goto(shop.url)
        assert await page.evaluate("navigator.languages") == languages
        seen.append(await page.evaluate(identify))
        await context.close()
    assert seen[0] == seen[1]


async def test_a_reload_loses_no_step_and_a_new_code_or_a_call_can_be_had_after_a_countdown(
    shop: Shop, person: Browser
) -> None:
    phone = "+16175550140"
    async with visit(person, shop) as page:
        await page.get_by_label("Name").fill("Ada")
        await page.get_by_label("Phone number").fill("617 555")
        await page.reload()
        await expect(page.get_by_label("Name")).to_have_value("Ada")
        await expect(page.get_by_label("Phone number")).to_have_value("617 555")
        await ask_for_code(page, "(617) 555-0140")
        await read_verdict(page, "Allowed: a code went out")
        await expect(page.locator("#fallback")).to_contain_text("Call me instead")
        await page.reload()
        await expect(page.get_by_label("Code")).to_be_focused()
        await expect(page.locator("#sent-to")).to_contain_text(phone)
        await read_verdict(page, "Allowed: a code went out")
        await page.locator("#fallback:enabled").click()
        await expect(page.locator("#code-note")).to_contain_text("phone call")
        await expect(page.locator("#sent-to")).to_contain_text(f"{phone} can receive a phone call")
        await until(lambda: len(shop.codes(phone)) == 2, "the call comes")
        await page.locator("#resend:enabled").click()
        await expect(page.locator("#code-note")).to_contain_text("a new one is on its way")
        await until(lambda: len(shop.codes(phone)) == 3, "another message comes")
        await page.get_by_label("Code").fill(code_of(shop, phone))
        await page.keyboard.press("Enter")
        await expect(page.locator("h1:visible")).to_have_text("Welcome!")
        await page.reload()
        await expect(page.locator("h1:visible")).to_have_text("Welcome!")
        await read_verdict(page, "Allowed: a code went out")
        await page.get_by_role("button", name="Start again").click()
        await page.reload()
        await expect(page.locator("h1:visible")).to_have_text("Create your account")


async def test_a_new_code_is_asked_for_once_however_often_the_button_is_pressed(shop: Shop, person: Browser) -> None:
    phone, answered = "+16175550141", asyncio.Event()

    async def hold(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    async with visit(person, shop) as page:
        await ask_for_code(page, phone)
        await read_verdict(page, "Allowed: a code went out")
        await page.locator("#resend:enabled").wait_for()
        await page.route("**/demo/request", hold)
        await page.locator("#resend").click()
        await page.evaluate("new Promise(done => setTimeout(done, 1100))")  # the page looks at its countdowns twice
        assert await page.locator("#resend").is_disabled()
        answered.set()
        await expect(page.locator("#code-note")).to_contain_text("a new one is on its way")
        await until(lambda: len(shop.codes(phone)) == 2, "another message comes")


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
async def test_a_phone_whose_clock_is_wrong_has_as_much_time_as_any(shop: Shop, person: Browser, hours: int) -> None:
    async with visit(person, shop) as page:
        await page.clock.install(time=time.time() + hours * 3600)
        await page.reload()
        await ask_for_code(page, f"+161755501{43 + hours}")
        await expect(page.locator("#expiry")).to_contain_text("Good for another 5 minutes")
        await page.locator("#fallback:enabled").wait_for()


async def test_a_countdown_is_shown_until_a_call_can_be_had(database_url: str, person: Browser) -> None:
    policy = QUICK.replace("2s", "60s")
    async with run_shop(database_url, policy=policy) as shop, open_page(person, shop.url) as page:
        await ask_for_code(page, NATIONAL)
        await expect(page.locator("#fallback")).to_have_text(re.compile(r"^Call me instead in \d+ s$"))
        await expect(page.locator("#resend")).to_have_text(re.compile(r"^Send a new code in \d+ s$"))
        assert await page.locator("#fallback").is_disabled()
        assert await page.locator("#resend").is_disabled()


async def test_whatever_goes_wrong_people_are_told_in_their_own_words(database_url: str, person: Browser) -> None:
    policy = '[limits]\nip = ["1000/1h"]\nphone = ["1/10m"]\n' + QUICK
    wait = re.compile(r"try again in \d+ (minutes|seconds)")
    async with run_shop(database_url, policy=policy) as shop, open_page(person, shop.url) as page:
        seen = []
        name, phone, code = (page.get_by_label(label) for label in ("Name", "Phone number", "Code"))
        send, note = page.get_by_role("button", name="Send code"), page.locator("#code-note")
        await send.click()
        seen.append(await told(page))
        await expect(name).to_be_focused()
        await expect(name).to_have_accessible_description("Please tell us your name.")
        for number in ("", "12", "no number", "+1", "4" * 60, "+13125550142 ext. 9"):
            await ask_for_code(page, number)
            await expect(phone).to_have_accessible_description(re.compile("number"))
            await expect(phone).to_be_focused()
            assert await phone.get_attribute("aria-invalid") == "true"
            assert await name.get_attribute("aria-invalid") is None
            seen.append(await told(page))
        await ask_for_code(page, NATIONAL)
        await read_verdict(page, "Allowed: a code went out")
        for typed in ("", "12", "abcdef", "1" * 40):
            await code.fill(typed)
            await page.get_by_role("button", name="Verify").click()
            await expect(note).to_contain_text("Please type the digits")
            assert await code.get_attribute("aria-invalid") == "true"
            seen.append(await told(page))
        await expect(page.locator("#expiry")).to_contain_text("5 attempts left")
        await page.locator("#resend:enabled").click()
        await expect(note).to_contain_text(wait)
        assert await code.get_attribute("aria-invalid") is None
        await read_verdict(page, "Allowed: a code went out")
        seen.append(await told(page))
        await page.get_by_role("button", name="Use another number").click()
        await ask_for_code(page, NATIONAL)
        await expect(page.locator("#form-problem")).to_contain_text(wait)
        seen.append(await told(page))
        await phone.fill("+13125550188")
        await send.click()
        await read_verdict(page, "Allowed: a code went out")
        for left in (4, 3, 2, 1, 0):
            await code.fill(wrong(code_of(shop, "+13125550188")))
            await page.get_by_role("button", name="Verify").click()
            if left:
                await expect(page.locator("#expiry")).to_contain_text(f"{left} attempt")
        await expect(page.locator("h1:visible")).to_have_text("Too many wrong codes")
        seen.append(await told(page))
        await page.reload()
        await expect(page.locator("h1:visible")).to_have_text("Too many wrong codes")
        for text in seen:
            assert not FOR_DEVELOPERS.search(text), text


@pytest.mark.parametrize(("api", "call"), [("v4", "start"), ("v3", "load")])
async def test_with_a_public_key_fingerprints_own_agent_is_loaded_as_its_version_wants_it(
    database_url: str, person: Browser, api: str, call: str
) -> None:
    async with run_shop(database_url, fingerprint_key="pubKey123", api=api) as shop:
        minted = shop.fingerprint.mint(Mint(bot="bad")).event_id
        gives = {"v4": f'{{event_id: "{minted}"}}', "v3": f'{{requestId: "{minted}"}}'}[api]
        agent = f"window.told = options; return {{ get: async () => ({gives}) }};"
        script = f"export async function {call}(options) {{ {agent} }}"
        asked = []

        async def answer(route: Route) -> None:
            asked.append(route.request.url)
            headers = {"access-control-allow-origin": "*"}
            await route.fulfill(body=script, content_type="text/javascript", headers=headers)

        page = await person.new_page()
        await page.route("https://fpjscdn.net/**", answer)
        await page.goto(shop.url)
        await ask_for_code(page, PHONE)
        await read_verdict(page, "Suppressed by bot")
        assert asked == [f"https://fpjscdn.net/{api}/pubKey123"]
        assert await page.evaluate("window.told") == {"region": "us"}
        await page.close()


async def test_without_an_agent_the_form_is_sent_all_the_same(shop: Shop, person: Browser) -> None:
    page = await person.new_page()
    await page.route("**/fingerprint/**", lambda route: route.abort())
    await page.goto(shop.url)
    await ask_for_code(page, "+12125550150")
    await read_verdict(page, "Allowed: a code went out")
    await expect(page.locator("#seen")).to_contain_text("none")
    await page.close()


@pytest.mark.parametrize(
    ("width", "dark"),
    [(1280, False), (NARROW, True), (320, False)],
    ids=["on a desk", "on a phone in the dark", "on a small phone"],
)
async def test_every_step_can_be_read_and_pressed_by_everybody_and_nothing_scrolls_sideways(
    shop: Shop, person: Browser, width: int, *, dark: bool
) -> None:
    phone = f"+1305555{width:04}"
    async with visit(person, shop, width=width, dark=dark) as page:

        async def look() -> None:
            assert await find_violations(page) == []
            assert await find_small_targets(page) == []
            assert await measure_overhang(page) == 0

        await page.get_by_text("Numbers that behave").click()
        await page.get_by_role("button", name="Send code").click()
        await look()
        await ask_for_code(page, phone, name="Wolfeschlegelsteinhausenbergerdorff" * 5)
        await read_verdict(page, "Allowed: a code went out")
        await page.locator("#messages li.mine").wait_for()
        code = code_of(shop, phone)
        await page.get_by_label("Code").fill(wrong(code))
        await page.get_by_role("button", name="Verify").click()
        await expect(page.locator("#code-note")).to_contain_text("not the code")
        await page.locator("#fallback:enabled").wait_for()
        await look()
        await page.get_by_label("Code").fill(code)
        await page.get_by_role("button", name="Verify").click()
        await expect(page.locator("h1:visible")).to_have_text("Welcome!")
        await look()


async def test_the_whole_sign_up_goes_by_keyboard_alone(shop: Shop, person: Browser) -> None:
    async with visit(person, shop) as page:
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_text("Skip to the sign-up")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Ada")
        await page.keyboard.press("Tab")
        await page.keyboard.type("United States")
        await page.keyboard.press("Tab")
        await page.keyboard.type("(212) 555-0151")
        await page.keyboard.press("Enter")
        await read_verdict(page, "Allowed: a code went out")
        await page.keyboard.type(code_of(shop, "+12125550151"))
        await page.keyboard.press("Enter")
        await expect(page.locator(":focus")).to_have_text("Welcome!")


async def run_bot(*given: str) -> tuple[int | None, str, str]:
    """Run the example, and return how it ended and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(BOT), *given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.usefixtures("browser")  # skips it where the machine has none
async def test_the_example_bot_prints_what_everybody_is_told_and_gets_no_code(shop: Shop) -> None:
    phone = "+12025550124"
    ended, out, _ = await run_bot("--url", shop.url, phone)
    assert ended == 0
    answer, panel = out.splitlines()
    assert answer == f"{phone}: If {phone} can receive a text message, one is on its way."
    assert "Suppressed by bot: no code went out." in panel
    assert shop.codes(phone) == []


@pytest.mark.usefixtures("browser")
async def test_the_example_bot_says_so_where_there_is_no_sandbox() -> None:
    assert await run_bot("--url", "http://127.0.0.1:1/demo") == (
        1, "", "There is no page at http://127.0.0.1:1/demo: is the sandbox running (make sandbox)?\n"
    )  # fmt: skip
