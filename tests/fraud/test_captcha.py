"""Captchas: required by client, verified once after the reply, and silent whatever the result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from service.db.engine import Database
from service.errors import SettingsError
from service.fraud.gathering.captchas import check_provider
from service.policy import loading
from service.sandbox.captcha_app import SECRET
from service.sandbox.faults import Fault, FaultKind
from tests.support.fraud import enforced, findings_of, mint, run_guarded, sends_to
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code, run_gateway

REQUIRED = "[clients.shop]\ncaptcha_required = true\n"
CLOSED = '[rules.captcha]\nfail = "closed"\n'
FALLBACK_SOON = '[fallback]\nafter = "1s"\n'


@asynccontextmanager
async def run_asking(database_url: str, policy: str = "") -> AsyncIterator[Gateway]:
    """Run a gateway with a captcha provider."""
    captcha = {"CAPTCHA_PROVIDER": "hcaptcha", "CAPTCHA_SECRET": SECRET}
    async with run_guarded(database_url, policy, **captcha) as gateway:
        yield gateway


def tokens_asked(gateway: Gateway) -> list[str | None]:
    return [call.code for call in gateway.stage.journal.list_calls("captcha")]


async def test_where_it_is_required_a_request_without_a_token_is_a_422_that_names_it(database_url: str) -> None:
    async with run_asking(database_url, REQUIRED) as gateway:
        reply = await gateway.request()
        assert (reply.status, reply.body["fields"]) == (422, ["captcha_token"])
        assert (await (await gateway.client("bank")).request()).status == 202
        assert await gateway.database.pool.fetchval("select count(*) from verifications") == 1
        assert (await gateway.request(captcha_token="pass-1")).status == 202
        assert await read_code(gateway)


async def test_what_is_not_solved_or_was_used_before_gets_nothing_and_the_same_answer(database_url: str) -> None:
    async with run_asking(database_url) as gateway:
        answers = []
        for phone, token in ((PHONE, "pass-1"), (OTHER_PHONE, "pass-1"), ("+13125550144", "fail-1")):
            reply = await gateway.request(phone, captcha_token=token)
            answers.append((reply.status, set(reply.body), reply.body["status"], reply.body["message"]))
            expected = set() if phone == PHONE else {"captcha"}
            assert await enforced(gateway, reply.body["id"]) == expected
        assert answers[0] == answers[1] == answers[2]
        assert await read_code(gateway)
        assert sends_to(gateway, OTHER_PHONE) == sends_to(gateway, "+13125550144") == 0


async def test_a_captcha_that_is_not_solved_spends_nothing_of_fingerprints_quota(database_url: str) -> None:
    async with run_asking(database_url) as gateway:
        event = await mint(gateway)
        verification = await gateway.begin(device_event_id=event, captcha_token="fail-1")
        assert await enforced(gateway, verification) == {"captcha"}
        assert gateway.stage.journal.list_calls("event") == []
        # Nor does it bind the event, or leave a trace: the same person may try again.
        assert await gateway.database.pool.fetchval("select count(*) from device_events") == 0
        assert await gateway.database.pool.fetchval("select count(*) from histories") == 0


async def test_the_next_channel_goes_by_what_was_learnt_of_the_token(database_url: str) -> None:
    async with run_asking(database_url, FALLBACK_SOON) as gateway:
        good = await gateway.begin(PHONE, captcha_token="pass-1")
        bad = await gateway.begin(OTHER_PHONE, captcha_token="fail-1")
        await asyncio.sleep(1.05)
        for verification in (good, bad):
            assert (await gateway.use_fallback(verification)).status == 202
        assert await read_code(gateway, PHONE, "call")
        assert "captcha" in await findings_of(gateway, bad, ordinal=2)
        assert sends_to(gateway, OTHER_PHONE) == 0
        assert sorted(map(str, tokens_asked(gateway))) == ["fail-1", "pass-1"]


async def test_a_token_that_our_own_crash_may_have_spent_is_not_held_against_anybody(
    database_url: str, database: Database
) -> None:
    """Another process takes over a send that was begun and not decided: its token may be used up."""
    async with run_asking(database_url) as gateway:
        row = UUID(await gateway.begin(captcha_token="duplicate-1"))
        assert await enforced(gateway, str(row)) == {"captcha"}
    begun = "update sends set decision = null, state = 'begun', provider = null, provider_id = null"
    await database.pool.execute(f"{begun} where verification_id = $1", row)
    async with run_asking(database_url) as gateway:
        await database.pool.execute("update verifications set next_action_at = now() where id = $1", row)
        assert await read_code(gateway)
        assert await enforced(gateway, str(row)) == set()
        assert tokens_asked(gateway) == ["duplicate-1"]


@pytest.mark.parametrize("fault", ["error500", "unauthorized", "throttle"])
async def test_a_provider_that_does_not_answer_suppresses_nothing_as_shipped(
    database_url: str, fault: FaultKind
) -> None:
    async with run_asking(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind=fault, operations=("captcha",)))
        await gateway.begin(captcha_token="fail-1")
        assert await read_code(gateway)


async def test_one_that_fails_closed_suppresses_everybody_who_brings_a_token(database_url: str) -> None:
    async with run_asking(database_url, CLOSED) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("captcha",)))
        verification = await gateway.begin(captcha_token="pass-1")
        assert await enforced(gateway, verification) == {"captcha"}
        assert sends_to(gateway, PHONE) == 0


async def test_one_that_never_answers_is_waited_for_a_few_times_and_then_not_asked(database_url: str) -> None:
    async with run_asking(database_url) as gateway:
        phones = [f"+1{area}5550142" for area in (212, 213, 312, 305, 415)]
        await asyncio.gather(*(gateway.begin(phone, captcha_token=f"timeout-{phone[2:5]}") for phone in phones))
        for phone in phones:
            assert await read_code(gateway, phone)
        verification = await gateway.begin(OTHER_PHONE, captcha_token="timeout-6")
        assert await read_code(gateway, OTHER_PHONE)
        assert await enforced(gateway, verification) == set()
        assert len(tokens_asked(gateway)) == 5


async def test_decoys_ask_as_well(database_url: str) -> None:
    """The load that a decoy makes is that of a real one."""
    async with run_asking(database_url) as gateway:
        verification = await gateway.begin(deliver=False, captcha_token="pass-1")
        assert await enforced(gateway, verification) == set()
        assert tokens_asked(gateway) == ["pass-1"]


async def test_a_rule_that_is_off_asks_nobody(database_url: str) -> None:
    async with run_asking(database_url, '[rules.captcha]\nmode = "off"\n') as gateway:
        await gateway.begin(captcha_token="fail-1")
        assert await read_code(gateway)
        assert tokens_asked(gateway) == []


async def test_a_requirement_without_a_provider_is_named_at_the_start(database_url: str) -> None:
    with pytest.raises(SettingsError, match=r"CAPTCHA_PROVIDER: is missing; .*clients\.shop\.captcha_required"):
        check_provider(loading.parse(REQUIRED), configured=False)
    check_provider(loading.parse(REQUIRED), configured=True)
    check_provider(loading.parse(""), configured=False)
    with pytest.raises(RuntimeError):
        async with run_gateway(database_url, policy=REQUIRED):
            pass
