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
from tests.support.alarms import open_channel
from tests.support.dispatching import run_beside
from tests.support.fraud import enforced, findings_of, mint, run_guarded, sends_to
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code, run_gateway

REQUIRED = "[clients.shop]\ncaptcha_required = true\n"
CLOSED = '[rules.captcha]\nfail = "closed"\n'
FALLBACK_SOON = '[fallback]\nafter = "1s"\n'


@asynccontextmanager
async def run_asking(database_url: str, policy: str = "", **more: str) -> AsyncIterator[Gateway]:
    """Run a gateway with a captcha provider."""
    captcha = {"CAPTCHA_PROVIDER": "hcaptcha", "CAPTCHA_SECRET": SECRET} | more
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
        for phone, token in ((PHONE, "pass-1"), (OTHER_PHONE, "duplicate-1"), ("+13125550144", "fail-1")):
            reply = await gateway.request(phone, captcha_token=token)
            answers.append((reply.status, set(reply.body), reply.body["status"], reply.body["message"]))
            expected = set() if phone == PHONE else {"captcha"}
            assert await enforced(gateway, reply.body["id"]) == expected
        assert answers[0] == answers[1] == answers[2]
        assert await read_code(gateway)
        assert sends_to(gateway, OTHER_PHONE) == sends_to(gateway, "+13125550144") == 0


async def test_a_token_serves_a_retry_and_a_corrected_number_from_where_it_was_solved(database_url: str) -> None:
    async with run_asking(database_url) as gateway:
        for phone in (PHONE, PHONE, OTHER_PHONE, OTHER_PHONE):
            assert await enforced(gateway, await gateway.begin(phone, captcha_token="pass-1")) == set()
        stranger = {"ip_address": "198.51.100.7", "captcha_token": "pass-1"}
        others = [
            await gateway.begin("+13125550144", captcha_token="pass-1"),
            await gateway.begin(PHONE, **stranger),
            await (await gateway.client("bank")).begin(PHONE, captcha_token="pass-1"),
        ]
        assert [await enforced(gateway, one) for one in others] == [{"captcha"}] * 3


async def test_after_two_minutes_a_token_is_used_before(database_url: str, database: Database) -> None:
    async with run_asking(database_url) as gateway:
        assert await enforced(gateway, await gateway.begin(captcha_token="pass-1")) == set()
        await database.pool.execute("update captcha_verdicts set at = at - interval '2 minutes'")
        assert await enforced(gateway, await gateway.begin(captcha_token="pass-1")) == {"captcha"}


async def test_of_many_numbers_that_race_with_one_token_two_get_a_code_whichever_process_they_reach(
    database_url: str,
) -> None:
    async with run_asking(database_url) as gateway, run_beside(gateway) as other:
        gateway.stage.latency["captcha"] = 0.2  # the others ask while the first waits for its answer
        phones = [f"+1{area}5550142" for area in (212, 213, 312, 305, 415, 617, 702, 713)]
        begun = await asyncio.gather(
            *((gateway, other)[place % 2].begin(phone, captcha_token="pass-1") for place, phone in enumerate(phones))
        )
        found = [await enforced(gateway, verification) for verification in begun]
        assert found.count(set()) == 2
        assert sum(sends_to(gateway, phone) for phone in phones) == 2


async def test_a_token_whose_answer_was_lost_is_not_held_against_the_next_try(database_url: str) -> None:
    async with run_asking(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("captcha",), times=1))
        for phone in (PHONE, OTHER_PHONE):
            assert await enforced(gateway, await gateway.begin(phone, captcha_token="pass-1")) == set()
        assert await enforced(gateway, await gateway.begin("+13125550144", captcha_token="pass-1")) == {"captcha"}


async def test_nothing_of_a_token_stands_in_the_database(database_url: str) -> None:
    async with run_asking(database_url) as gateway:
        token = "pass-" + "0123456789abcdef" * 250
        await gateway.begin(captcha_token=token)
        assert await read_code(gateway)
        assert "0123456789abcdef" * 2 not in str(await gateway.database.pool.fetch("select * from captcha_verdicts"))


async def test_a_token_of_8192_characters_is_taken_and_one_more_is_a_422(database_url: str) -> None:
    async with run_asking(database_url) as gateway:
        for length, status in ((4500, 202), (8192, 202), (8193, 422)):
            token = f"pass-{length}-".ljust(length, "x")
            assert (await gateway.request(f"+1312555{length}", captcha_token=token)).status == status
        assert await read_code(gateway, "+13125558192")


SCORED = '[rules.captcha]\nactions = ["verify", "sign_up"]\nhostnames = ["Shop.example"]\n'


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("", None),
        ("score=0.1", "score 0.1"),
        ("score=0.5", None),
        ("score=0.9:action=sign_up:hostname=shop.example", None),
        ("score=0.9:action=log_in", "another action"),
        ("action=", "another action"),
        ("hostname=elsewhere.example", "another hostname"),
    ],
)
async def test_what_a_provider_tells_of_a_solved_one_is_held_against_the_policy(
    database_url: str, told: str, found: str | None
) -> None:
    """One that tells nothing of it is not held to it."""
    async with run_asking(database_url, SCORED, CAPTCHA_PROVIDER="recaptcha") as gateway:
        verification = await gateway.begin(captcha_token=f"pass:{told}:1")
        assert await enforced(gateway, verification) == ({"captcha"} if found else set())
        told_why = await gateway.database.pool.fetchval("select decision #>> '{facts,captcha_told}' from sends")
        assert told_why == found


async def test_as_shipped_any_action_and_hostname_will_do_but_not_any_score(database_url: str) -> None:
    async with run_asking(database_url, CAPTCHA_PROVIDER="recaptcha") as gateway:
        good = await gateway.begin(captcha_token="pass:score=0.6:action=any:hostname=anywhere.example:1")
        bad = await gateway.begin(OTHER_PHONE, captcha_token="pass:score=0.1:action=any:1")
        assert await enforced(gateway, good) == set()
        assert await enforced(gateway, bad) == {"captcha"}


@pytest.mark.parametrize(
    "code", ["invalid-remoteip", "not-using-dummy-passcode", "browser-error", "bad-request", "a-code-of-tomorrow"]
)
async def test_a_refusal_that_says_nothing_of_the_person_is_an_outage_and_rings(database_url: str, code: str) -> None:
    async with open_channel() as channel, run_asking(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway:
        for area in (212, 213, 305, 415, 617, 702):
            one = await gateway.begin(f"+1{area}5550142", captcha_token=f"error:{code}:{area}")
            assert await enforced(gateway, one) == set()
        assert (await channel.wait_for(1))[0] == f"The captcha's provider (hcaptcha) does not judge: {code}."
        # However many there were, the next one is judged.
        assert await enforced(gateway, await gateway.begin(captcha_token="fail-1")) == {"captcha"}


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
