"""The sandbox's Telnyx answers as the vendor's specification and guides say that Telnyx does."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from service.channels import CHANNELS
from service.providers.verify.test_numbers import FIXED_CODE, NUMBERS, ScriptedNumber
from service.sandbox.telnyx.service import PROFILE_ID, TelnyxSettings
from tests.support.fake_telnyx import PHONE, Caller, call_telnyx


@pytest.fixture
async def telnyx() -> AsyncIterator[Caller]:
    async with call_telnyx(TelnyxSettings(slow_answer=0.01)) as caller:
        yield caller


@pytest.mark.parametrize("channel", CHANNELS)
async def test_the_right_code_of_every_channel_is_accepted(telnyx: Caller, channel: str) -> None:
    verification_id = await telnyx.begin(channel=channel)
    assert await telnyx.read_status(verification_id) == "pending"
    assert await telnyx.check(verification_id, telnyx.telnyx.find_code(verification_id)) == "accepted"
    assert await telnyx.read_status(verification_id) == "accepted"


async def test_a_verification_is_described_without_the_code_that_was_made_for_it(telnyx: Caller) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    _, body = await telnyx.send(timeout_secs=90)
    data = body["data"]
    assert data["custom_code"] is None
    assert telnyx.telnyx.find_code(data["id"]) not in str(body)
    assert (data["type"], data["phone_number"], data["timeout_secs"]) == ("sms", PHONE, 90)
    assert (data["verify_profile_id"], data["record_type"]) == (PROFILE_ID, "verification")
    assert before <= datetime.fromisoformat(data["created_at"]) <= datetime.now(UTC).replace(tzinfo=None)
    assert str(uuid.UUID(data["id"])) == data["id"]


async def test_a_code_has_as_many_digits_as_its_profile_says(telnyx: Caller) -> None:
    verification_id = await telnyx.begin()
    assert len(telnyx.telnyx.find_code(verification_id)) == 6
    await telnyx.call("PATCH", f"/v2/verify_profiles/{PROFILE_ID}", {"sms": {"code_length": 9}})
    assert len(telnyx.telnyx.find_code(await telnyx.begin())) == 9


async def test_a_code_is_accepted_once(telnyx: Caller) -> None:
    verification_id = await telnyx.begin()
    code = telnyx.telnyx.find_code(verification_id)
    assert [await telnyx.check(verification_id, code) for _ in range(2)] == ["accepted", "rejected"]
    assert await telnyx.read_status(verification_id) == "accepted"


async def test_after_five_wrong_codes_even_the_right_one_is_turned_down(telnyx: Caller) -> None:
    verification_id = await telnyx.begin()
    wrong = telnyx.find_wrong(verification_id)
    assert [await telnyx.check(verification_id, wrong) for _ in range(5)] == ["rejected"] * 5
    assert await telnyx.check(verification_id, telnyx.telnyx.find_code(verification_id)) == "max_attempts_exceeded"
    assert await telnyx.read_status(verification_id) == "invalid"


async def test_a_code_is_good_until_its_time_is_over(telnyx: Caller) -> None:
    verification_id = await telnyx.begin(timeout_secs=60)
    held = telnyx.telnyx.verifications.find(verification_id)
    assert held is not None
    held.expires -= 61
    assert await telnyx.read_status(verification_id) == "expired"
    assert await telnyx.check(verification_id, held.code) == "expired"


async def test_a_custom_code_is_the_code_and_stands_in_the_record(telnyx: Caller) -> None:
    _, body = await telnyx.send(custom_code="43612")
    assert body["data"]["custom_code"] == "43612"
    assert await telnyx.check(body["data"]["id"], "43612") == "accepted"


async def test_a_profile_keeps_whatsapps_own_settings_and_goes_by_its_list_of_countries(telnyx: Caller) -> None:
    path = f"/v2/verify_profiles/{PROFILE_ID}"
    own = {"sender_phone_number": "+13035551234", "template_id": "authentication", "waba_id": "1234567890"}
    _, body = await telnyx.call("PATCH", path, {"whatsapp": own | {"whitelisted_destinations": ["GB"]}, "sms": own})
    assert body["data"]["whatsapp"].items() >= own.items()
    assert not body["data"]["sms"].keys() & own.keys(), "taken, and ignored in silence"
    status, body = await telnyx.send(channel="whatsapp")
    assert (status, body["errors"][0]["code"]) == (400, "40309")
    assert (await telnyx.send())[0] == 200


async def test_only_a_code_that_is_typed_may_be_chosen(telnyx: Caller) -> None:
    for channel, traits in CHANNELS.items():
        assert (await telnyx.send(channel=channel, custom_code="43612"))[0] == (200 if traits.typed else 422)


async def test_a_second_verification_of_a_number_leaves_the_first_as_it_is(telnyx: Caller) -> None:
    first, second = await telnyx.begin(), await telnyx.begin(channel="call")
    status, body = await telnyx.call("GET", f"/v2/verifications/by_phone_number/{PHONE.replace('+', '%2B')}")
    assert status == 200
    assert [one["id"] for one in body["data"]] == [second, first]
    assert body["meta"] == {"page_number": 1, "page_size": 20, "total_pages": 1, "total_results": 2}
    assert await telnyx.check(first, telnyx.telnyx.find_code(first)) == "accepted"


async def test_a_check_by_number_is_against_the_newest_that_is_pending(telnyx: Caller) -> None:
    await telnyx.begin()
    newest = await telnyx.begin()
    path = f"/v2/verifications/by_phone_number/{PHONE}/actions/verify"
    body = {"code": telnyx.telnyx.find_code(newest), "verify_profile_id": PROFILE_ID}
    assert (await telnyx.call("POST", path, body))[1]["data"]["response_code"] == "accepted"
    assert await telnyx.read_status(newest) == "accepted"


@pytest.mark.parametrize("scripted", NUMBERS, ids=lambda number: number.phone_number)
async def test_scripted_numbers_do_what_their_table_says(telnyx: Caller, scripted: ScriptedNumber) -> None:
    for channel in CHANNELS:
        status, body = await telnyx.send(scripted.phone_number, channel)
        if scripted.outcome(channel) == "refused":
            assert (status, body["errors"][0]["code"]) == (400, "40309")
        else:
            expected = "accepted" if scripted.code_accepted else "rejected"
            assert await telnyx.check(body["data"]["id"], FIXED_CODE) == expected


async def test_the_code_of_a_flashcall_is_the_end_of_the_callers_number(telnyx: Caller) -> None:
    held = telnyx.telnyx.verifications.find(await telnyx.begin(channel="flashcall"))
    assert held is not None
    assert held.caller is not None
    assert held.caller.endswith(held.code)
    assert len(held.code) == 6


async def test_a_country_off_the_profiles_list_is_refused_on_that_channel_alone(telnyx: Caller) -> None:
    change = {"sms": {"whitelisted_destinations": ["GB"]}}
    await telnyx.call("PATCH", f"/v2/verify_profiles/{PROFILE_ID}", change)
    status, body = await telnyx.send()
    assert (status, body["errors"][0]["code"]) == (400, "40309")
    assert (await telnyx.send(channel="call"))[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (None, 400, "10015"),
        ([], 400, "10015"),
        ({"phone_number": PHONE}, 400, "10015"),
        ({"verify_profile_id": PROFILE_ID}, 400, "10015"),
        ({"phone_number": PHONE, "verify_profile_id": "nonsense"}, 400, "10015"),
        ({"phone_number": 13125550142, "verify_profile_id": PROFILE_ID}, 400, "10015"),
        ({"phone_number": "13125550142", "verify_profile_id": PROFILE_ID}, 422, "10016"),
        ({"phone_number": PHONE, "verify_profile_id": PROFILE_ID, "timeout_secs": 0}, 422, "10015"),
        ({"phone_number": PHONE, "verify_profile_id": PROFILE_ID, "timeout_secs": "5m"}, 400, "10015"),
        ({"phone_number": PHONE, "verify_profile_id": PROFILE_ID, "timeout_secs": None}, 400, "10015"),
        ({"phone_number": PHONE, "verify_profile_id": PROFILE_ID, "custom_code": "no"}, 422, "10015"),
        ({"phone_number": PHONE, "verify_profile_id": str(uuid.uuid4())}, 404, "10005"),
    ],
)
async def test_a_malformed_send_is_an_error_in_telnyxs_shape(
    telnyx: Caller, body: object, status: int, code: str
) -> None:
    got, answer = await telnyx.call("POST", "/v2/verifications/sms", body)
    assert (got, answer["errors"][0]["code"]) == (status, code)
    assert answer["errors"][0]["title"]
    assert not telnyx.telnyx.verifications.list_newest(1)


async def test_without_the_key_every_call_is_401(telnyx: Caller) -> None:
    for method, path in [("POST", "/v2/verifications/sms"), ("GET", "/v2/verify_profiles"), ("GET", "/v2/nothing")]:
        status, body = await telnyx.call(method, path, authorization="Bearer KEY_WRONG")
        assert (status, body["errors"][0]["code"]) == (401, "10009")


async def test_an_unknown_verification_is_404_to_read_and_to_check(telnyx: Caller) -> None:
    unknown = f"/v2/verifications/{uuid.uuid4()}"
    for method, path in [("GET", unknown), ("POST", unknown + "/actions/verify")]:
        status, body = await telnyx.call(method, path, {"code": "123456"})
        assert (status, body["errors"][0]["code"]) == (404, "10005")


async def test_a_verification_is_found_in_whatever_spelling_of_its_id(telnyx: Caller) -> None:
    verification_id = await telnyx.begin()
    assert await telnyx.read_status(verification_id.upper()) == "pending"
    assert (await telnyx.call("GET", "/v2/verifications/x"))[0] == 400


async def test_a_look_up_of_a_number_without_verifications_is_an_empty_list(telnyx: Caller) -> None:
    status, body = await telnyx.call("GET", f"/v2/verifications/by_phone_number/{PHONE}")
    assert (status, body["data"], body["meta"]["total_results"]) == (200, [], 0)


async def test_a_profile_is_made_changed_channel_by_channel_and_deleted(telnyx: Caller) -> None:
    made = {"name": "Shop", "sms": {"app_name": "Shop", "code_length": 6}}
    _, body = await telnyx.call("POST", "/v2/verify_profiles", made)
    path = f"/v2/verify_profiles/{body['data']['id']}"
    _, body = await telnyx.call("PATCH", path, {"sms": {"default_verification_timeout_secs": 120}})
    assert body["data"]["sms"] == {"app_name": "Shop", "code_length": 6, "default_verification_timeout_secs": 120}
    assert (await telnyx.call("GET", path))[1] == body
    _, body = await telnyx.call("GET", "/v2/verify_profiles?filter[name]=Shop")
    assert [one["name"] for one in body["data"]] == ["Shop"]
    assert (await telnyx.call("DELETE", path))[0] == 200
    assert (await telnyx.call("GET", path))[0] == 404


async def test_a_profile_setting_with_the_guides_wrong_name_is_ignored_in_silence(telnyx: Caller) -> None:
    path = f"/v2/verify_profiles/{PROFILE_ID}"
    status, body = await telnyx.call("PATCH", path, {"sms": {"default_timeout_secs": 60}})
    assert status == 200
    assert body["data"]["sms"]["default_verification_timeout_secs"] == 300
    assert "default_timeout_secs" not in body["data"]["sms"]


async def test_a_profile_with_an_impossible_app_name_is_turned_down(telnyx: Caller) -> None:
    status, body = await telnyx.call("PATCH", f"/v2/verify_profiles/{PROFILE_ID}", {"sms": {"app_name": "Shöp!"}})
    assert (status, body["errors"][0]["code"]) == (400, "10015")


async def test_a_number_look_up_tells_the_carriers_line_type(telnyx: Caller) -> None:
    _, body = await telnyx.call("GET", "/v2/number_lookup/+14155550108?type=carrier")
    data = body["data"]
    assert (data["carrier"]["type"], data["portability"]["line_type"]) == ("voip", "voip")
    assert (data["country_code"], data["valid_number"]) == ("US", True)
    status, body = await telnyx.call("GET", "/v2/number_lookup/+9995550100")
    assert (status, body["errors"][0]["code"]) == (422, "10016")


async def test_a_change_of_a_profile_replaces_what_it_names_and_ignores_what_telnyx_does_not_have(
    telnyx: Caller,
) -> None:
    path = f"/v2/verify_profiles/{PROFILE_ID}"
    change = {"sms": {"code_length": 8}, "flashcall": {"code_length": 8, "default_verification_timeout_secs": 120}}
    _, body = await telnyx.call("PATCH", path, change)
    assert body["data"]["sms"]["code_length"] == 8
    assert body["data"]["sms"]["app_name"] == "Sandbox"
    assert body["data"]["flashcall"] == {"default_verification_timeout_secs": 120}
    assert body["data"]["call"]["code_length"] == 6


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"sms": {"whitelisted_destinations": ["us"]}}, "/sms/whitelisted_destinations"),
        ({"call": {"default_verification_timeout_secs": 0}}, "/call/default_verification_timeout_secs"),
        ({"sms": {"app_name": "Grüße"}}, "/sms/app_name"),
    ],
)
async def test_a_change_that_telnyx_refuses_says_where_and_changes_nothing(
    telnyx: Caller, change: dict[str, object], pointer: str
) -> None:
    path = f"/v2/verify_profiles/{PROFILE_ID}"
    before = (await telnyx.call("GET", path))[1]
    status, body = await telnyx.call("PATCH", path, change)
    assert (status, body["errors"][0]["source"]["pointer"]) == (400, pointer)
    assert (await telnyx.call("GET", path))[1] == before
