"""The console's page of callbacks: set a receiver, see what waits and why, have it tried again; every act audited."""

from __future__ import annotations

import re

from tests.support.console import sit_down
from tests.support.gateway import read_code, run_gateway
from tests.support.receivers import check, run_receiver
from tests.support.waiting import until

PAGE = "/operator/callbacks"


async def test_a_receiver_is_set_fails_is_seen_to_and_gets_what_waited(database_url: str) -> None:
    async with (
        run_receiver() as receiver,
        run_gateway(database_url, CALLBACK_ALLOW_PRIVATE="true") as gateway,
        sit_down(gateway) as (desk, _),
    ):
        assert "https, and public" not in (await desk.get(PAGE)).text
        shown = await desk.post(PAGE, {"client": "shop", "url": receiver.url})
        [secret] = set(re.findall(r"whsec_[\w+/=]+", shown.text))
        assert secret not in (await desk.get(PAGE)).text
        receiver.status = 500
        verification = await gateway.begin()
        await gateway.verify(verification, await read_code(gateway))
        await until(lambda: gateway.database.pool.fetchval("select failure from callbacks"), "it has failed")
        assert re.search(r"shop 127.0.0.1 failing since .* 1 .* status 500", (await desk.get(PAGE)).text)
        receiver.status = 200
        done = await desk.post(f"{PAGE}/shop/replay", {"what": "1h"})
        assert "tried again now" in done.text
        await until(lambda: len(receiver.told) == 2, "it comes again")
        check(receiver.told[1], secret)
        for act in ("disable", "enable", "remove"):
            await desk.post(f"{PAGE}/shop/{act}", {})
        audits = (await desk.get("/operator/audits")).text
        for words in ("set where", "tried again", "disabled", "enabled", "removed where"):
            assert words in audits, words


async def test_a_mistake_is_said_on_the_page(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        for form in (
            {"client": "nobody", "url": "https://shop.example/"}, {"client": "shop", "url": "https://10.0.0.1/"},
            {"client": "shop\x00", "url": "https://shop.example/"}, {"client": "shop", "rotate": "1"},
        ):  # fmt: skip
            assert (await desk.post(PAGE, form)).status == 422, form
        assert (
            "no client of this name" in (await desk.post(PAGE, {"client": "nobody", "url": "https://a.example/"})).text
        )
        assert "https, and public" in (await desk.get(PAGE)).text
        assert (await desk.post(f"{PAGE}/shop/replay", {"what": "msg_x"})).status == 422
        assert "had ended already" in (await desk.post(f"{PAGE}/nobody/enable", {})).text
        assert (await desk.post(f"{PAGE}/shop%00/enable", {})).status == 404
