"""While the database is away in the middle of a decision, nobody outside is asked a second time for it."""

from __future__ import annotations

import asyncio

from service.db.engine import Database
from service.sandbox.captcha_app import SECRET
from tests.fraud.test_forged_events import invent
from tests.support.admission import VAULT
from tests.support.fraud import enforced, mint, run_guarded
from tests.support.gateway import ADDRESS, OTHER_PHONE, read_code
from tests.support.tcp_proxy import lay_cable


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


async def test_a_database_that_is_away_after_the_captcha_was_asked_fails_nobody_for_it(
    database_url: str, database: Database
) -> None:
    """How many events an address has invented is read first: a token is good for one question."""
    captcha = {"CAPTCHA_PROVIDER": "turnstile", "CAPTCHA_SECRET": SECRET}
    async with lay_cable(database_url) as (cable, near), run_guarded(near, **captcha) as gateway:
        gateway.database = database
        first = await gateway.begin(device_event_id=invent(1), captcha_token="pass-1")
        assert await enforced(gateway, first) == {"event_forged"}
        subject = VAULT.hash(b"limit.forged", ADDRESS).bytes
        cable.cuts += [(subject, "before")] * 2
        second = await gateway.begin(OTHER_PHONE, device_event_id=await mint(gateway), captcha_token="pass-2")
        assert await enforced(gateway, second) == set()
        assert cable.cuts == []
        assert [call.operation for call in gateway.stage.journal.list_calls()].count("captcha") == 2
