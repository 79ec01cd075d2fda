"""Takes the pictures of the console that the docs show: `python -m tests.console`.

Run by hand, when a page has changed. It fills a gateway with a plausible month and takes each page in light and dark.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import Browser, expect

from service.db import embedded
from service.db.schema import migrate
from tests.conftest import FAST, at, command
from tests.support.browser import PHONE as NARROW
from tests.support.browser import start_browser
from tests.support.clusters import CHECKOUT, make_home
from tests.support.fraud import findings_of, mint, run_guarded
from tests.support.gateway import OTHER_PHONE, Calls, Gateway, read_code

PICTURES = CHECKOUT / "docs" / "pictures"
BUDGETS = "[budgets]\neverything = 600\neach_country = 400\n"
BOT, LIMITED = "+13125550177", "+13125550166"
FILL = """
insert into activity
select s.span, s.at, c.client, c.country, c.channel, s.n * c.part, s.n * c.part * .03, s.n * c.part * .83,
       s.n * c.part * .1, s.n * c.part * .83 * c.converts, s.n * c.part * .04, now() + interval '9 days'
from (
    select 'hour' as span, date_trunc('hour', now(), 'UTC') - i * interval '1 hour' as at, 420 + 260 * sin(i / 3.8) as n
    from generate_series(0, 47) i
    union all
    select 'day', date_trunc('day', now(), 'UTC') - i * interval '1 day', 9000 + 1500 * sin(i / 1.1) + 90 * (29 - i)
    from generate_series(0, 29) i
) s, (values ('shop', 'US', 'sms', .52, .84), ('shop', 'CA', 'sms', .17, .81), ('bank', 'US', 'sms', .2, .88),
             ('bank', 'US', 'call', .05, .61), ('shop', 'GB', 'sms', .06, .12))
     as c(client, country, channel, part, converts)
on conflict do nothing;
insert into activity
select span, at, '', '', '', sum(requests), sum(decoys), sum(sends), sum(suppressed), sum(converted), sum(limited),
       max(until)
from activity where client <> '' group by span, at on conflict do nothing;
insert into activity
select 'minute', date_trunc('minute', now()) - i * interval '1 minute', '', '', '', 9 + 4 * sin(i / 6.0), 0,
       8 + 3 * sin(i / 6.0) + random(), 1 + random(), 6 + 3 * sin(i / 6.0), random() * .9, now() + interval '1 day'
from generate_series(0, 59) i on conflict do nothing;
insert into alerts (kind, text, began_at, seen_at, ended_at) values
('block GB', 'A rule has blocked GB: evidence 21.4.', now() - interval '40 minutes', now() + interval '1 hour', null),
('spike', 'The last five minutes: 61 sends a minute, usually 9.', now() - interval '9 hours', now(),
 now() - interval '8 hours');
insert into ledger
select (now() at time zone 'UTC')::date, 1, c.country, 'sms', c.sends, c.sends * c.price, 200, c.saved
from (values ('US', 6200, 0.0079, 11.2), ('CA', 1400, 0.0083, 1.6), ('GB', 300, 0.0524, 38.1)) as
     c(country, sends, price, saved)
on conflict do nothing;
insert into rule_counts
select date_bin('15 minutes', now(), 'epoch'), c.client, 'US', c.rule, c.mode, 'x', c.count
from (values ('shop', '', '', 4100), ('bank', '', '', 1300), ('shop', 'range', 'enforce', 214),
             ('shop', 'bot', 'enforce', 96), ('shop', 'country', 'enforce', 71), ('bank', 'event_stale', 'enforce', 22),
             ('shop', 'vpn', 'observe', 377), ('bank', 'no_event', 'observe', 1290)) as c(client, rule, mode, count)
on conflict do nothing
"""


async def fill(gateway: Gateway, operator: Calls) -> None:
    """Have a month behind it, and a few people who got no code."""
    await gateway.client("bank")
    verified = await gateway.begin(OTHER_PHONE)
    await gateway.verify(verified, await read_code(gateway, OTHER_PHONE))
    await findings_of(gateway, await gateway.begin(BOT, device_event_id=await mint(gateway, bot="bad")))
    while (await gateway.request(LIMITED)).status == 202:
        pass
    block = {"country": "GB", "duration": "6h", "reason": "Pumped since noon, ticket 4711"}
    await operator.call("POST", "/v1/operator/blocks", block)
    exemption = {"phone_number": OTHER_PHONE, "duration": "1h", "reason": "Called us, ticket 4712", "limits": True}
    await operator.call("POST", "/v1/operator/exemptions", exemption)
    await asyncio.sleep(3)
    await gateway.database.pool.execute(FILL)


async def take(browser: Browser, url: str, key: str, theme: str, width: int) -> None:
    """Take every page in light or dark."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if theme == "dark" else "light"
    )
    page = await context.new_page()
    await page.goto(f"{url}/operator/doctor")
    await page.get_by_label("Key").fill(key)
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_contain_text("Examined at", timeout=120_000)
    for name, path in (
        ("now", ""),
        ("rules", "/rules"),
        ("blocks", "/blocks"),
        ("exemptions", "/exemptions"),
        ("keys", "/keys"),
        ("audits", "/audits"),
        ("doctor", "/doctor"),
    ):
        await page.goto(f"{url}/operator{path}")
        await page.screenshot(path=PICTURES / f"console-{name}-{theme}.png", full_page=name == "now")
    for name, number in (("why", BOT), ("limit", LIMITED)):
        await page.goto(f"{url}/operator/why")
        await page.get_by_label("A phone number").fill(number)
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_contain_text("get no code?")
        await page.screenshot(path=PICTURES / f"console-{name}-{theme}.png", full_page=theme == "phone")
    await context.close()


async def main(home: Path) -> None:
    """Take them all."""
    server = embedded.start(home, settings=FAST)
    try:
        await command(server.url("postgres"), "create database pictures")
        url = at(server.url("postgres"), "pictures")
        await asyncio.to_thread(migrate.upgrade, url)
        async with run_guarded(url, BUDGETS) as gateway, start_browser() as browser:
            operator = await gateway.client("desk", scope="operator")
            await fill(gateway, operator)
            for theme, width in (("light", 1280), ("dark", 1280), ("phone", NARROW)):
                await take(browser, gateway.url, operator.key, theme, width)
    finally:
        server.release()


if __name__ == "__main__":
    with make_home() as made:
        asyncio.run(main(made))
