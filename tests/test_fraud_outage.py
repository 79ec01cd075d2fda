"""While the database is away in the middle of a decision, nobody outside is asked a second time for it."""

from __future__ import annotations

import asyncio

from service.db.engine import Database
from service.sandbox.captcha_app import SECRET
from tests.support.cable import lay_cable
from tests.support.fraud import enforced, mint, run_guarded
from tests.support.gateway import read_code


async def test_a_token_and_an_event_are_asked_about_once_however_long_the_decision_takes(
    database_url: str, database: Database
) -> None:
    captcha = {"CAPTCHA_PROVIDER": "turnstile", "CAPTCHA_SECRET": SECRET}
    async with lay_cable(database_url) as (cable, near), run_guarded(near, **captcha) as gateway:
        gateway.database = database  # the test looks on without the cable
        gateway.stage.latency["event"] = 0.3
        journal = gateway.stage.journal
        verification = await gateway.begin(device_event_id=await mint(gateway), captcha_token="pass-1")
        while not journal.list_calls("event"):
            await asyncio.sleep(0.01)
        await cable.pull()
        await asyncio.sleep(2.0)
        cable.plug()
        assert await read_code(gateway)
        assert await enforced(gateway, verification) == set()
        assert [call.operation for call in journal.list_calls() if call.operation != "send"] == ["captcha", "event"]
