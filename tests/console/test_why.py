"""Why a number got no code, answered from the console alone: each cause by its name, in sentences, with what to do."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from service.fraud.money import INSURANCE
from service.operators.explaining.advice import REMEDIES
from service.operators.explaining.explanations import ERRORS, LIMITS, RULES
from service.policy.model import Limits
from service.policy.rules import Rules
from service.providers.telnyx.errors import SCOPES
from service.providers.verify import health
from service.sandbox.faults import Fault
from tests.support.console import Desk, Shown, sit_down
from tests.support.fraud import findings_of, mint, run_guarded
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code, run_gateway, wrong
from tests.support.ports import free_port
from tests.support.waiting import until

ENDED = "select bool_and(state in ('refused', 'abandoned', 'sent')) from sends"
NO_CHANNEL = '[fallback]\nmode = "off"\n'


async def ask_until(desk: Desk, what: str, sentence: str) -> Shown:
    """Ask until the page says a sentence: what happens after a reply takes its time."""
    shown, pause = await desk.ask_why(what), 0.2

    async def is_said() -> bool:
        nonlocal shown, pause
        if sentence not in shown.text:
            # A key may search thirty times a minute.
            await asyncio.sleep(pause)
            shown, pause = await desk.ask_why(what), min(3.0, 1.5 * pause)
        return sentence in shown.text

    await until(is_said, f"the console says: {sentence}; it says {shown.text}")
    return shown


async def test_a_country_off_the_list(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.begin("+442079460000")
        shown = await ask_until(desk, "+44 20 7946 0000", "suppressed by country")
        assert "country GB by sms" in shown.text
        assert "add it to [countries] allow" in shown.text
        assert "Nothing went out" in shown.text
        assert "Telnyx accepted" not in shown.text


async def test_a_bot(database_url: str) -> None:
    async with run_guarded(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.begin(PHONE, device_event_id=await mint(gateway, bot="bad"))
        shown = await ask_until(desk, PHONE, "suppressed by bot")
        assert "an automated browser" in shown.text


async def test_a_stale_event(database_url: str) -> None:
    async with run_guarded(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.begin(PHONE, device_event_id="1700000000000.abcdef")
        shown = await ask_until(desk, PHONE, "suppressed by event_stale")
        assert "The device event was too old" in shown.text


async def test_a_block_which_is_lifted_from_there(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, operator):
        order = {"phone_number": PHONE, "digits": 4, "duration": "1h", "reason": "pumped"}
        block = (await operator.call("POST", "/v1/operator/blocks", order)).body["id"]
        await gateway.begin(PHONE)
        shown = await ask_until(desk, PHONE, "suppressed by block")
        assert f"Lift block {block}" in shown.text
        lifted = await desk.post(f"/operator/blocks/{block}/lift")
        assert "Lifted." in lifted.text
        assert "Lift block" not in (await desk.ask_why(PHONE)).text
        assert (await desk.post(f"/operator/blocks/{block}/lift")).text.count("It had ended already.") == 1


async def test_a_limit_that_refused_the_request_itself(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        assert [(await gateway.request(PHONE)).status for _ in range(5)] == [202] * 3 + [429] * 2
        shown = await ask_until(desk, PHONE, "2 requests of shop were refused")
        assert "A limit is full: requests are refused now" in shown.text
        assert "Requests for this number at shop: 3 within 10 min were used up" in shown.text
        assert "exempt the number from limits" in shown.text


async def test_a_limit_of_the_address_that_asked(database_url: str) -> None:
    policy = '[limits]\nip = ["1/1h"]\n'
    async with run_gateway(database_url, policy=policy) as gateway, sit_down(gateway) as (desk, _):
        await gateway.begin(PHONE)
        assert (await gateway.request(PHONE)).status == 429
        shown = await ask_until(desk, PHONE, "1 request of shop was refused")
        assert "Requests from the address that asked for it" in shown.text


async def test_a_budget_of_wrong_codes(database_url: str) -> None:
    policy = '[lockout]\ncodes_per_phone = "1/1h"\n'
    async with run_gateway(database_url, policy=policy) as gateway, sit_down(gateway) as (desk, _):
        verification = await gateway.begin(PHONE)
        await gateway.verify(verification, wrong(await read_code(gateway)))
        assert (await gateway.request(PHONE)).status == 429
        shown = await ask_until(desk, PHONE, "was refused")
        assert "Wrong codes for this number from one source" in shown.text
        assert "A wrong code was entered." in shown.text


async def test_a_limit_that_suppressed_the_send(database_url: str) -> None:
    policy = '[limits]\nphone_everywhere = ["1/1h"]\n'
    async with run_gateway(database_url, policy=policy) as gateway, sit_down(gateway) as (desk, _):
        await findings_of(gateway, await gateway.begin(PHONE))
        await gateway.begin(PHONE)
        shown = await ask_until(desk, PHONE, "suppressed by phone_everywhere")
        assert "Sends to this number by all clients together" in shown.text


async def test_a_decoy(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        verification = await gateway.begin(PHONE, deliver=False)
        await findings_of(gateway, verification)
        shown = await ask_until(desk, verification, "This is a decoy")
        assert shown.path == f"/operator/verifications/{verification}"
        assert "Telnyx accepted" not in shown.text
        assert "delivered" not in shown.text


async def test_what_telnyx_refused(database_url: str) -> None:
    async with run_gateway(database_url, policy=NO_CHANNEL) as gateway, sit_down(gateway) as (desk, _):
        gateway.stage.faults.add(Fault(kind="refuse", operations=("send",)))
        await gateway.begin(PHONE)
        shown = await ask_until(desk, PHONE, "Telnyx refused the text message")
        assert any(code in shown.text and words in shown.text for code, words in ERRORS.items())


async def test_what_was_given_up_says_what_kept_it(database_url: str) -> None:
    policy = f'{NO_CHANNEL}[verification]\ndispatch_deadline = "2s"\n'
    nowhere = f"http://127.0.0.1:{free_port()}/v2"
    async with (
        run_gateway(database_url, policy=policy, TELNYX_BASE_URL=nowhere) as gateway,
        sit_down(gateway) as (desk, operator),
    ):
        verification = await gateway.begin(PHONE)
        shown = await ask_until(desk, PHONE, "No code was sent: the text message was given up")
        assert "Telnyx could not be reached (no_connection)" in shown.text
        seen = (await operator.call("GET", f"/v1/operator/verifications/{verification}")).body
        assert seen["sends"][0]["error"] == "deadline: no_connection"


async def test_what_waited_for_an_open_breaker_until_it_was_given_up_still_says_what_opened_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SILENCE", 0.1)  # instead of 30 s: three failures open it
    policy = f'{NO_CHANNEL}[verification]\ndispatch_deadline = "6s"\n'
    nowhere = f"http://127.0.0.1:{free_port()}/v2"
    async with (
        run_gateway(database_url, policy=policy, TELNYX_BASE_URL=nowhere) as gateway,
        sit_down(gateway) as (desk, operator),
    ):
        verification = await gateway.begin(PHONE)
        await until(lambda: is_full(gateway), "the breaker is open")
        shown = await ask_until(desk, PHONE, "No code was sent: the text message was given up")
        assert "Telnyx could not be reached (no_connection)" in shown.text
        assert "whether this host reaches it" in shown.text
        seen = (await operator.call("GET", f"/v1/operator/verifications/{verification}")).body
        assert seen["sends"][0]["error"] == "deadline: no_connection"


async def is_full(gateway: Gateway) -> bool:
    """Say whether requests are refused because Telnyx accepts nothing."""
    return (await gateway.request(OTHER_PHONE)).status == 503


async def test_what_was_never_tried_because_the_account_has_no_funds_says_so(database_url: str) -> None:
    policy = f'{NO_CHANNEL}[verification]\ndispatch_deadline = "4s"\n'
    async with run_gateway(database_url, policy=policy) as gateway, sit_down(gateway) as (desk, _):
        gateway.stage.faults.add(Fault(kind="no_funds"))
        await gateway.begin(PHONE)
        shown = await ask_until(desk, PHONE, "No code was sent: the text message was given up")
        assert "the account at Telnyx has no funds" in shown.text
        assert "Add funds to the account" in shown.text


@pytest.mark.parametrize(("code", "remedy"), [("40309", "profile sync"), ("40331", "profile sync"), ("10002", "mist")])
async def test_a_refusal_of_telnyx_says_what_can_be_done_about_it(database_url: str, code: str, remedy: str) -> None:
    async with run_gateway(database_url, policy=NO_CHANNEL) as gateway, sit_down(gateway) as (desk, _):
        gateway.stage.faults.add(Fault(kind="answer", operations=("send",), code=code))
        await gateway.begin(PHONE)
        shown = await ask_until(desk, PHONE, f"({code})")
        assert remedy in shown.text[shown.text.index("What you can do") :]


async def test_a_code_that_went_out_and_was_not_entered_says_what_can_be_done(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.begin(PHONE)
        await read_code(gateway)
        shown = await ask_until(desk, PHONE, "No right code was entered")
        assert "Ask whether the code came" in shown.text[shown.text.index("What you can do") :]


async def test_a_device_event_that_could_not_be_read_is_told_though_no_rule_objected(database_url: str) -> None:
    async with run_guarded(database_url) as gateway, sit_down(gateway) as (desk, _):
        gateway.stage.faults.add(Fault(kind="error500", operations=("event",)))
        await gateway.begin(PHONE, device_event_id=await mint(gateway))
        shown = await ask_until(desk, PHONE, "Decided: allowed")
        assert "The device event could not be read: Fingerprint did not answer." in shown.text
        assert "Fingerprint's key" in shown.text[shown.text.index("What you can do") :]


async def test_what_was_sent_is_told_whole(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        verification = await gateway.begin(PHONE)
        code = await read_code(gateway)
        await gateway.verify(verification, wrong(code))
        await gateway.verify(verification, code)
        shown = await ask_until(desk, verification, "The code was entered: the number is verified.")
        told = [
            "Requested",
            "Decided: allowed",
            "Telnyx accepted",
            "A wrong code was",
            "The right code was",
            "Verified",
        ]
        places = [shown.text.index(one) for one in told]
        assert places == sorted(places), shown.text


async def test_a_number_nobody_asked_for_and_what_is_no_number(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        assert "Nobody asked for this number within 30 days" in (await desk.ask_why(OTHER_PHONE)).text
        for text in ("", "hello", "555 0142", "<b>"):
            shown = await desk.ask_why(text)
            assert shown.status == 422, text
            assert "<b>" not in shown.page
        unknown = await desk.ask_why("00000000-0000-7000-8000-000000000000")
        assert (unknown.status, "There is no verification with this id" in unknown.text) == (404, True)


async def test_an_exemption_from_there_lets_the_next_request_through(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await findings_of(gateway, await gateway.begin("+442079460000"))
        asked = await desk.ask_why("+442079460000")
        assert 'name="rule-country" value="on" checked' in asked.page
        fields = {"target": "+442079460000", "duration": "1h", "rule-country": "on", "reason": "ticket 4711"}
        assert "in force" in (await desk.post("/operator/exemptions", fields)).text
        assert await is_waived(gateway, "+442079460000")
        again = await desk.ask_why("+442079460000")
        assert "An exemption is in force" in again.text
        assert "was waived by an operator" in again.text


async def test_a_verification_whose_number_was_dropped_can_still_be_exempted(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        verification = await gateway.begin("+442079460000")
        await findings_of(gateway, verification)
        await gateway.cancel(verification)
        await desk.ask_why(verification)
        done = await desk.post(f"/operator/verifications/{verification}/exempt", {"reason": "ticket 4711"})
        assert "GB number" in done.text
        assert await is_waived(gateway, "+442079460000")


async def is_waived(gateway: Gateway, number: str) -> bool:
    findings = await findings_of(gateway, await gateway.begin(number))
    return findings["country"] == "lifted"


async def test_a_search_is_audited_and_no_page_or_address_holds_a_number_that_was_not_typed(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        verification = await gateway.begin(PHONE)
        await findings_of(gateway, verification)
        assert PHONE not in (await desk.ask_why(verification)).page
        await desk.ask_why(PHONE)
        assert PHONE not in (await desk.get("/operator/exemptions")).page
        acts = await gateway.database.pool.fetchval("select count(*) from audits where action = 'search'")
        assert acts == 1


def test_every_rule_limit_and_code_of_telnyx_has_its_sentence() -> None:
    names = {field.name for field in msgspec.structs.fields(Rules)} | {"budget", "budget_country", INSURANCE}
    assert set(RULES) == names
    assert set(SCOPES) <= set(ERRORS)
    assert set(SCOPES) <= set(REMEDIES) <= set(ERRORS)
    limits = {field.name for field in msgspec.structs.fields(Limits)} - {"device", "device_total"}  # a rule's own
    assert set(LIMITS) == limits | {"codes_per_phone", "codes_per_phone_total"}


@pytest.mark.parametrize("scope", ["verify", "metrics"])
async def test_the_console_is_open_to_operators_alone(database_url: str, scope: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.database.pool.execute("update api_keys set scope = $1 where scope = 'operator'", scope)
        assert (await desk.get()).path == "/operator/sign-in"
