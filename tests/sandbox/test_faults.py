"""The sandbox fails as it is told to, where it is told to, and its journal says what reached it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, get_args
from uuid import uuid4

import aiohttp
import pytest

from service.sandbox.faults import Fault, FaultKind, Operation
from service.sandbox.telnyx.profiles import ProfileChange
from tests.support.fake_telnyx import PHONE, Caller, call_telnyx

OTHER = "+13125550143"
OTHER_PROFILE = "5a9dbeef-0000-4000-8000-000000000002"


@pytest.fixture
async def telnyx() -> AsyncIterator[Caller]:
    async with call_telnyx() as caller:
        yield caller


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("refuse", 400, "40309"),
        ("throttle", 429, "10011"),
        ("unauthorized", 401, "10009"),
        ("forbidden", 403, "10010"),
        ("not_found", 404, "10005"),
        ("no_funds", 403, "20100"),
        ("spend_limit", 429, "40333"),
    ],
)
async def test_a_fault_answers_with_telnyxs_code_and_nothing_is_sent(
    telnyx: Caller, kind: FaultKind, status: int, code: str
) -> None:
    telnyx.stage.faults.add(Fault(kind=kind))
    got, body = await telnyx.send()
    assert (got, body["errors"][0]["code"]) == (status, code)
    assert not telnyx.telnyx.verifications.list_newest(1)
    assert [call.acted for call in telnyx.stage.journal.list_calls()] == [False]


@pytest.mark.parametrize("seconds", [3.0, time.time() + 60], ids=["seconds", "epoch"])
async def test_a_throttle_names_its_reset_in_seconds_or_as_an_epoch(telnyx: Caller, seconds: float) -> None:
    telnyx.stage.faults.add(Fault(kind="throttle", seconds=seconds))
    headers = {"authorization": f"Bearer {telnyx.telnyx.settings.api_key}"}
    async with telnyx.session.get(telnyx.url + "/v2/verify_profiles", headers=headers) as response:
        assert response.headers["x-ratelimit-reset"] == str(int(seconds))
        assert response.headers["x-ratelimit-remaining"] == "0"
        assert "retry-after" not in response.headers


@pytest.mark.parametrize(("kind", "status"), [("error500", 500), ("gateway_timeout", 504)])
async def test_a_fault_on_the_way_to_telnyx_does_not_speak_json(telnyx: Caller, kind: FaultKind, status: int) -> None:
    telnyx.stage.faults.add(Fault(kind=kind))
    with pytest.raises(aiohttp.ContentTypeError) as wrong:
        await telnyx.send()
    assert wrong.value.status == status


@pytest.mark.parametrize(("kind", "sent"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_reset_drops_the_connection_before_or_after_acting(telnyx: Caller, kind: FaultKind, sent: int) -> None:
    telnyx.stage.faults.add(Fault(kind=kind, times=1))
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await telnyx.send()
    assert len(telnyx.telnyx.verifications.list_by_phone(PHONE)) == sent
    assert (await telnyx.send())[0] == 200


@pytest.mark.parametrize(("kind", "sent"), [("hang_before", 0), ("hang_after", 1)])
async def test_a_hang_never_answers_before_or_after_acting(telnyx: Caller, kind: FaultKind, sent: int) -> None:
    telnyx.stage.faults.add(Fault(kind=kind, times=1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(telnyx.send(), 0.3)
    assert len(telnyx.telnyx.verifications.list_by_phone(PHONE)) == sent
    assert [call.status for call in telnyx.stage.journal.list_calls()] == [None]


async def test_a_lost_answer_to_a_right_code_leaves_the_verification_accepted(telnyx: Caller) -> None:
    verification_id = await telnyx.begin()
    telnyx.stage.faults.add(Fault(kind="reset_after", operations=("check",)))
    with pytest.raises(aiohttp.ClientError):
        await telnyx.check(verification_id, telnyx.telnyx.find_code(verification_id))
    assert await telnyx.read_status(verification_id) == "accepted"


async def test_garbage_is_a_success_without_content(telnyx: Caller) -> None:
    telnyx.stage.faults.add(Fault(kind="garbage"))
    assert await telnyx.send() == (200, {"data": {}})
    assert len(telnyx.telnyx.verifications.list_by_phone(PHONE)) == 1


async def test_a_slow_answer_is_right_and_late(telnyx: Caller) -> None:
    telnyx.stage.faults.add(Fault(kind="slow", seconds=0.2))
    begun = time.monotonic()
    assert (await telnyx.send())[0] == 200
    assert time.monotonic() - begun >= 0.2


async def test_latency_delays_the_operations_that_it_names(telnyx: Caller) -> None:
    telnyx.stage.latency = {"check": 0.2}
    verification_id = await telnyx.begin()
    begun = time.monotonic()
    await telnyx.check(verification_id, "000000")
    assert time.monotonic() - begun >= 0.2


async def test_a_fault_strikes_only_the_calls_that_it_names(telnyx: Caller) -> None:
    telnyx.stage.faults.add(Fault(kind="refuse", operations=("send",), phone_number=PHONE, channel="sms"))
    assert [(await telnyx.send(PHONE, "sms"))[0], (await telnyx.send(PHONE, "call"))[0]] == [400, 200]
    verification_id = await telnyx.begin(OTHER)
    assert await telnyx.check(verification_id, telnyx.telnyx.find_code(verification_id)) == "accepted"


async def test_a_fault_aimed_at_a_number_strikes_its_checks_too(telnyx: Caller) -> None:
    verification_id, other_id = await telnyx.begin(), await telnyx.begin(OTHER)
    telnyx.stage.faults.add(Fault(kind="throttle", operations=("check",), phone_number=PHONE))
    path = f"/v2/verifications/{verification_id}/actions/verify"
    assert (await telnyx.call("POST", path, {"code": "000000"}))[0] == 429
    assert await telnyx.check(other_id, "000000") == "rejected"


async def test_a_fault_that_is_counted_strikes_that_often(telnyx: Caller) -> None:
    telnyx.stage.faults.add(Fault(kind="forbidden", times=2))
    assert [(await telnyx.send())[0] for _ in range(3)] == [403, 403, 200]


async def test_the_journal_tells_what_reached_telnyx_and_what_had_an_effect(telnyx: Caller) -> None:
    verification_id = await telnyx.begin()
    telnyx.stage.faults.add(Fault(kind="throttle", operations=("check",), times=1))
    await telnyx.call("POST", f"/v2/verifications/{verification_id}/actions/verify", {"code": "000001"})
    await telnyx.check(verification_id, "000002")
    _, body = await telnyx.call("GET", "/control/journal?operation=check")
    assert body["counts"] == {"send": 1, "check": 2}
    told = [(one["code"], one["verification_id"], one["phone_number"], one["acted"]) for one in body["calls"]]
    assert told == [("000001", verification_id, PHONE, False), ("000002", verification_id, PHONE, True)]
    after = body["calls"][0]["sequence"]
    _, body = await telnyx.call("GET", f"/control/journal?after={after}")
    assert [one["code"] for one in body["calls"]] == ["000002"]


def test_the_documentation_names_every_kind_of_fault_and_every_operation() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [name for name in get_args(FaultKind) + get_args(Operation) if name not in documented] == []


async def test_faults_journal_and_latency_can_be_set_from_another_process(telnyx: Caller) -> None:
    status, fault = await telnyx.call("POST", "/control/faults", {"kind": "refuse", "operations": ["send"]})
    assert status == 201
    assert (await telnyx.send())[0] == 400
    _, listed = await telnyx.call("GET", "/control/faults")
    assert listed[str(fault["id"])]["kind"] == "refuse"
    for path in (f"/control/faults/{fault['id']}", "/control/journal"):
        async with telnyx.session.delete(telnyx.url + path) as response:
            assert response.status == 204
    assert (await telnyx.send())[0] == 200
    assert (await telnyx.call("GET", "/control/journal"))[1]["counts"] == {"send": 1}
    assert await telnyx.call("PUT", "/control/latency", {"send": 0.01}) == (200, {"send": 0.01})
    assert (await telnyx.call("POST", "/control/faults", {"kind": "explode"}))[0] == 400


@pytest.mark.parametrize(("ids", "struck"), [("known", [True, False]), ("unknown", [False, True])])
async def test_a_fault_can_strike_only_ids_that_telnyx_knows_or_only_those_it_does_not(
    telnyx: Caller, ids: Literal["known", "unknown"], struck: list[bool]
) -> None:
    known = await telnyx.begin()
    telnyx.stage.faults.add(Fault(kind="throttle", operations=("check", "state"), ids=ids))
    seen = []
    for named in (known, str(uuid4())):
        checked, _ = await telnyx.call("POST", f"/v2/verifications/{named}/actions/verify", {"code": "12345"})
        read, _ = await telnyx.call("GET", f"/v2/verifications/{named}")
        assert (checked == 429) == (read == 429)
        seen.append(checked == 429)
    assert seen == struck


async def test_a_fault_can_strike_one_profile_alone(telnyx: Caller) -> None:
    telnyx.telnyx.profiles.create(ProfileChange(name="Other"), OTHER_PROFILE)
    telnyx.stage.faults.add(Fault(kind="spend_limit", profile_id=OTHER_PROFILE))
    assert (await telnyx.send(verify_profile_id=OTHER_PROFILE))[0] == 429
    assert (await telnyx.send())[0] == 200


async def test_a_fault_can_strike_a_share_of_the_calls(telnyx: Caller) -> None:
    telnyx.stage.faults.add(Fault(kind="refuse", operations=("send",), share=0.5))
    statuses = [(await telnyx.send())[0] for _ in range(60)]
    assert 10 < statuses.count(400) < 50
    assert set(statuses) == {200, 400}


async def test_without_funds_a_number_that_could_be_sent_to_is_refused_for_them_and_the_balance_says_so(
    telnyx: Caller,
) -> None:
    telnyx.telnyx.available_credit = 0.0
    assert (await telnyx.call("GET", "/v2/balance"))[1]["data"]["available_credit"] == "0.00"
    refused = {number: (await telnyx.send(number))[1]["errors"][0]["code"] for number in (PHONE, "+10000000000")}
    assert refused == {PHONE: "20100", "+10000000000": "10002"}
