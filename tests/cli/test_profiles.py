"""profile: what Telnyx's Verify profiles say is shown beside what they should, and written after a question."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import typing
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from telnyx.types import verify_profile_update_params as package

from service.errors import GatewayError
from service.operators.verify_profiles import CHANGEABLE
from service.policy import loading
from service.providers.telnyx.profiles import VerifyProfiles
from service.sandbox.faults import Fault
from service.sandbox.telnyx.profiles import ProfileChange
from service.sandbox.telnyx.service import PROFILE_ID
from tests.support.commands import Done, run_inside
from tests.support.fake_telnyx import Caller, call_telnyx
from tests.support.raw_http import RawRequest, serve_raw, write_reply

OTHER = "12ade33a-21c0-473b-b055-b3c836e1c292"
WEBHOOK = "https://verify.example.com/webhooks/verify"


@pytest.fixture
async def telnyx() -> AsyncIterator[Caller]:
    async with call_telnyx() as caller:
        yield caller


async def profile(telnyx: Caller, *words: str, **more: str) -> Done:
    given = {
        "TELNYX_API_KEY": telnyx.telnyx.settings.api_key,
        "TELNYX_BASE_URL": f"{telnyx.url}/v2",
        "TELNYX_VERIFY_PROFILE_ID": PROFILE_ID,
        "WEBHOOK_URL": WEBHOOK,
    }
    return await run_inside("profile", *words, settings=given | more)


def record(telnyx: Caller, profile_id: str = PROFILE_ID) -> dict[str, Any]:
    found = telnyx.telnyx.profiles.find(profile_id)
    assert found
    return found.fields


async def test_a_dry_run_prints_the_difference_and_writes_nothing(telnyx: Caller) -> None:
    before = json.dumps(record(telnyx))
    for words in (["sync", "--dry-run"], ["show"]):
        done = await profile(telnyx, *words)
        assert (done.code, done.err) == (0, "")
        assert f"  {'webhook_url':<43}  (not set)   → {WEBHOOK}\n" in done.out
        assert "sms.whitelisted_destinations                 (not set)   → CA, US\n" in done.out
        assert ("sms.code_length" in done.out) == (words == ["show"]), "it is as it should be"
        assert json.dumps(record(telnyx)) == before


async def test_what_is_written_is_what_sends_then_go_by_and_is_written_once(telnyx: Caller, tmp_path: Path) -> None:
    own = tmp_path / "policy.toml"
    own.write_text(
        '[verification]\nexpires_after = "4m"\ncode_length = 7\n'
        '[fallback]\norder = ["sms", "whatsapp", "call", "flashcall"]\n'
        '[countries]\nallow = ["US", "CA", "GB"]\ncall = ["US"]\nwhatsapp = ["GB"]\n'
        f'[client]\napp_name = "Example Shop"\nmessaging_template_id = "{OTHER}"\n'
    )
    failover = "https://verify.example.org/webhooks/verify"
    done = await profile(telnyx, "sync", "--yes", POLICY_FILE=str(own), WEBHOOK_FAILOVER_URL=failover)
    assert (done.code, done.err) == (0, "")
    said = {"app_name": "Example Shop", "default_verification_timeout_secs": 240}
    texts = said | {"code_length": 7, "messaging_template_id": OTHER}
    assert record(telnyx)["sms"].items() >= (texts | {"whitelisted_destinations": ["CA", "GB", "US"]}).items()
    assert record(telnyx)["call"].items() >= (texts | {"whitelisted_destinations": ["US"]}).items()
    assert record(telnyx)["flashcall"] == said | {"whitelisted_destinations": ["CA", "GB", "US"]}
    assert record(telnyx)["whatsapp"]["whitelisted_destinations"] == ["GB"]
    assert record(telnyx)["whatsapp"]["default_verification_timeout_secs"] == 240
    assert (record(telnyx)["webhook_url"], record(telnyx)["webhook_failover_url"]) == (WEBHOOK, failover)
    assert len(telnyx.telnyx.find_code(await telnyx.begin())) == 7
    assert (await telnyx.send("+33612345678"))[0] == 400, "France is not on the list"

    again = await profile(telnyx, "sync", "--yes", POLICY_FILE=str(own), WEBHOOK_FAILOVER_URL=failover)
    assert (again.code, again.out.splitlines()[-1]) == (0, "Nothing to write.")


@pytest.mark.parametrize(("answer", "code", "written"), [("y\n", 0, True), ("n\n", 1, False), ("", 1, False)])
async def test_only_a_yes_to_the_question_writes(
    telnyx: Caller, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, *, written: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    done = await profile(telnyx, "sync")
    assert done.code == code
    assert ("webhook_url" in record(telnyx)) == written
    assert written or done.err.endswith("Nothing was written.\n")


async def test_without_a_webhook_address_the_profiles_own_stays(telnyx: Caller) -> None:
    record(telnyx)["webhook_url"] = "https://old.example/hook"
    assert (await profile(telnyx, "sync", "--yes", WEBHOOK_URL="")).code == 0
    assert record(telnyx)["webhook_url"] == "https://old.example/hook"


@pytest.mark.parametrize("name", ["WEBHOOK_URL", "WEBHOOK_FAILOVER_URL"])
async def test_an_address_over_plain_http_is_refused_before_anything_is_written(telnyx: Caller, name: str) -> None:
    before = json.dumps(record(telnyx))
    done = await profile(telnyx, "sync", "--yes", **{name: "http://verify.example.com/webhooks/verify"})
    assert (done.code, f"{name} begins with http://" in done.err) == (1, True)
    assert json.dumps(record(telnyx)) == before


async def test_every_profile_that_a_client_names_is_shown_and_written(telnyx: Caller, tmp_path: Path) -> None:
    telnyx.telnyx.profiles.create(ProfileChange(name="shop"), OTHER)
    own = tmp_path / "policy.toml"
    own.write_text(
        f'[clients.shop]\nverify_profile_id = "{OTHER}"\n[clients.shop.countries]\nallow = ["DE"]\n'
        '[clients.bank.countries]\nallow = ["FR"]\n'
    )
    shown = json.loads((await profile(telnyx, "show", "--json", POLICY_FILE=str(own))).out)
    assert [(one["profile_id"], one["clients"]) for one in shown] == [(PROFILE_ID, [None, "bank"]), (OTHER, ["shop"])]
    assert (await profile(telnyx, "sync", "--yes", POLICY_FILE=str(own))).code == 0
    assert record(telnyx)["sms"]["whitelisted_destinations"] == ["CA", "FR", "US"], "of all that share it"
    assert record(telnyx, OTHER)["sms"]["whitelisted_destinations"] == ["DE"]
    assert record(telnyx, OTHER)["sms"]["code_length"] == 6


async def test_clients_that_share_a_profile_and_contradict_each_other_are_named(telnyx: Caller, tmp_path: Path) -> None:
    own = tmp_path / "policy.toml"
    own.write_text("[clients.bank.verification]\ncode_length = 8\n")
    done = await profile(telnyx, "sync", "--yes", POLICY_FILE=str(own))
    assert done.code == 1
    assert "Note: code_length is not the same for all that share this profile (all others 6, bank 8)" in done.out
    assert record(telnyx)["sms"]["code_length"] == 6
    assert record(telnyx)["webhook_url"] == WEBHOOK, "all else is written"


async def test_a_profile_that_cannot_be_read_keeps_the_others_from_being_written(
    telnyx: Caller, tmp_path: Path
) -> None:
    own = tmp_path / "policy.toml"
    own.write_text(f'[clients.shop]\nverify_profile_id = "{OTHER}"\n')
    done = await profile(telnyx, "sync", "--yes", POLICY_FILE=str(own))
    assert done.code == 1
    assert done.out.startswith(f"Verify profile {PROFILE_ID} "), "the one that can be read is shown"
    assert done.err.startswith(f"Telnyx has no Verify profile {OTHER} (10005): correct TELNYX_VERIFY_PROFILE_ID")
    assert "webhook_url" not in record(telnyx)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(kind="unauthorized"), "Telnyx does not accept TELNYX_API_KEY (10009): use"),
        (Fault(kind="forbidden"), f"TELNYX_API_KEY may not use Verify profile {PROFILE_ID} (10010): use"),
        (Fault(kind="not_found"), f"Telnyx has no Verify profile {PROFILE_ID} (10005): correct"),
        (Fault(kind="throttle", seconds=7), "Telnyx takes no more calls now (10011): try again in 7 s."),
        (Fault(kind="no_funds"), "Telnyx refuses for our account's sake (20100): look"),
        (Fault(kind="answer", status=422, code="10027"), "Telnyx refuses the call (10027): correct"),
        (Fault(kind="error500"), "Telnyx, or something on the way to it, failed (http_500): try"),
        (Fault(kind="gateway_timeout"), "Telnyx, or something on the way to it, failed (http_504): try"),
        (Fault(kind="garbage"), f"What answers at TELNYX_BASE_URL did not send Verify profile {PROFILE_ID}"),
        (Fault(kind="reset_before"), "Telnyx broke off its answer: try again."),
    ],
    ids=lambda given: given.kind if isinstance(given, Fault) else "",
)
async def test_each_failure_is_a_sentence_without_the_key(telnyx: Caller, fault: Fault, sentence: str) -> None:
    telnyx.stage.faults.add(fault)
    said = (await profile(telnyx, "show")).sentence()
    assert said.startswith(sentence)
    assert "KEY_SANDBOX" not in said
    assert len(said.splitlines()) == 1


async def test_a_telnyx_that_cannot_be_reached_or_does_not_answer_is_a_sentence(telnyx: Caller) -> None:
    said = (await profile(telnyx, "show", TELNYX_BASE_URL="http://127.0.0.1:1/v2")).sentence()
    assert said.startswith("Telnyx cannot be reached: check TELNYX_BASE_URL")

    over = asyncio.Event()

    async def hang(_: RawRequest, __: asyncio.StreamWriter) -> None:
        await over.wait()

    async with serve_raw(hang) as server:
        profiles = VerifyProfiles("KEY", f"{server.url}/v2", seconds=0.2)
        with pytest.raises(GatewayError, match=r"^Telnyx did not answer within 8 s: try again\.$"):
            await profiles.read(PROFILE_ID)
        await profiles.aclose()
        over.set()


async def test_what_telnyx_refuses_to_write_is_named_by_its_field(telnyx: Caller) -> None:
    profiles = VerifyProfiles("KEY_SANDBOX", f"{telnyx.url}/v2")
    with pytest.raises(GatewayError, match=r"refuses the call at /sms/code_length \(10015\)"):
        await profiles.change(PROFILE_ID, {"sms": {"code_length": 99}})
    with pytest.raises(GatewayError, match="must be a UUID"):
        await profiles.read("../balance")
    await profiles.aclose()


async def test_what_telnyx_ignores_in_silence_is_named_and_what_it_has_besides_is_kept(telnyx: Caller) -> None:
    theirs = {"id": PROFILE_ID, "sms": {"app_name": "Old", "alpha_sender": None, "code_length": 5}}

    async def ignore(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(200, json.dumps({"data": theirs}).encode()))

    async with serve_raw(ignore) as server:
        done = await profile(telnyx, "sync", "--yes", TELNYX_BASE_URL=f"{server.url}/v2")
        assert done.code == 1
        assert "Telnyx answered, but did not take: " in done.err
        assert f"{PROFILE_ID} sms.code_length" in done.err
        assert "flashcall.whitelisted_destinations" not in done.err, "Telnyx does not tell it in any case"
        assert "Telnyx does not tell flashcall.whitelisted_destinations" in done.out
        [change] = [request for request in server.requests if request.line.startswith("PATCH ")]
        assert json.loads(change.body)["sms"]["app_name"] == "Old", "a section may be replaced as a whole"


def test_every_field_has_the_name_that_telnyxs_package_has() -> None:
    sections = {"sms": package.SMS, "call": package.Call, "whatsapp": package.Whatsapp}
    ours = {channel: set(names) for channel, names in CHANGEABLE.items() if channel in sections}
    assert ours == {channel: set(typing.get_type_hints(section)) for channel, section in sections.items()}


@pytest.mark.parametrize("line", ['app_name = "Grüße"', 'app_name = "a,b"', 'messaging_template_id = "x"'])
def test_a_name_or_template_that_telnyx_would_refuse_is_a_mistake_in_the_policy(line: str) -> None:
    with pytest.raises(GatewayError, match=r"line 2: clients\.shop\.(app_name|messaging_template_id): must "):
        loading.parse(f"[clients.shop]\n{line}\n")
