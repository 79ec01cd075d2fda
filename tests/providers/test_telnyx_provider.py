"""The Telnyx provider against a stand-in with state."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.channels import Channel
from service.providers.telnyx.client import TelnyxProvider, TimeLimits
from service.providers.verify.protocol import (
    AccountProblem,
    CodeCompared,
    InDoubt,
    NotCompared,
    Order,
    Refused,
    Sent,
    State,
    TryAgain,
)
from service.sandbox.faults import Fault, FaultKind
from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.app import create_telnyx
from service.sandbox.telnyx.service import PROFILE_ID
from service.sandbox.telnyx.service import SimulatedTelnyx as Standing
from tests.support.serving import serve_app
from tests.support.telnyx_client import ID, NUMBER, ORDER, QUICK


class ProviderRig:
    """A provider in front of a stand-in."""

    def __init__(self, telnyx: TelnyxProvider, standing: Standing, stage: SandboxStage) -> None:
        self.telnyx = telnyx
        self.standing = standing
        self.stage = stage

    def break_with(self, kind: FaultKind, **other: Any) -> None:
        self.stage.faults.clear()
        self.stage.journal.clear()
        self.stage.faults.add(Fault(kind=kind, **other))

    async def send(self, order: Order = ORDER) -> str:
        sent = await self.telnyx.send(order)
        assert isinstance(sent, Sent)
        return sent.provider_id


@pytest.fixture(scope="module")
async def standing() -> AsyncIterator[ProviderRig]:
    app = create_telnyx()
    async with serve_app(app) as url:
        telnyx = TelnyxProvider("KEY_SANDBOX", f"{url}/v2", limits=QUICK)
        yield ProviderRig(telnyx, app.state.telnyx, app.state.stage)
        await telnyx.aclose()


@pytest.fixture
def rig(standing: ProviderRig) -> ProviderRig:
    standing.stage.faults.clear()
    standing.stage.journal.clear()
    return standing


@pytest.mark.parametrize("channel", ["sms", "call", "flashcall"])
async def test_a_send_can_be_checked_read_back_and_found(rig: ProviderRig, channel: Channel) -> None:
    provider_id = await rig.send(Order(NUMBER, channel, PROFILE_ID, 305))
    code = rig.standing.find_code(provider_id)
    assert await rig.telnyx.check(provider_id, f"{(int(code) + 1) % 10**6:06}") == CodeCompared(accepted=False)
    assert await rig.telnyx.state(provider_id) == State(accepted=False)
    assert await rig.telnyx.check(provider_id, code) == CodeCompared(accepted=True)
    assert await rig.telnyx.state(provider_id) == State(accepted=True)
    found = await rig.telnyx.look_up(NUMBER)
    assert isinstance(found, list)
    assert (found[0].provider_id, found[0].channel, found[0].profile_id) == (provider_id, channel, PROFILE_ID)
    assert found[0].created_at.utcoffset() is not None


async def test_what_telnyx_never_made_is_not_accepted_and_no_outage(rig: ProviderRig) -> None:
    assert await rig.telnyx.check(ID, "123456") == CodeCompared(accepted=False)
    assert await rig.telnyx.state(ID) == State(accepted=False)
    assert await rig.telnyx.look_up("+13035550000") == []


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("refuse", Refused("40309")),
        ("throttle", TryAgain("10011", 1.0, throttled=True)),
        ("unauthorized", AccountProblem("10009")),
        ("forbidden", AccountProblem("10010")),
        ("not_found", AccountProblem("10005", of_profile=True)),
        ("no_funds", AccountProblem("20100")),
        ("spend_limit", AccountProblem("40333", of_profile=True)),
        ("error500", TryAgain("http_500")),
        ("hang_before", InDoubt("time_limit")),
        ("hang_after", InDoubt("time_limit")),
        ("reset_before", InDoubt("broken_off")),
        ("reset_after", InDoubt("broken_off")),
        ("garbage", InDoubt("no_id")),
    ],
)
async def test_a_send_that_fails_is_made_once_and_named_rightly(
    rig: ProviderRig, kind: FaultKind, answer: object
) -> None:
    await rig.send()  # so that the one that fails is on a connection that was used before
    rig.break_with(kind)
    assert await rig.telnyx.send(ORDER) == answer
    assert rig.stage.journal.count() == {"send": 1}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("throttle", NotCompared),
        ("unauthorized", NotCompared),
        ("error500", NotCompared),
        ("hang_before", InDoubt),
        ("hang_after", InDoubt),
        ("reset_before", InDoubt),
        ("reset_after", InDoubt),
        ("garbage", InDoubt),
        ("not_found", CodeCompared),
    ],
)
async def test_a_guess_whose_answer_is_lost_is_in_doubt_and_was_made_once(
    rig: ProviderRig, kind: FaultKind, answer: type
) -> None:
    provider_id = await rig.send()
    rig.break_with(kind)
    got = await rig.telnyx.check(provider_id, rig.standing.find_code(provider_id))
    assert isinstance(got, answer)
    assert got != CodeCompared(accepted=True)
    assert rig.stage.journal.count() == {"check": 1}


@pytest.mark.parametrize("kind", ["throttle", "unauthorized", "error500", "reset_before", "garbage", "hang_before"])
async def test_a_state_or_a_list_that_cannot_be_had_is_a_value_too(rig: ProviderRig, kind: FaultKind) -> None:
    provider_id = await rig.send()
    rig.break_with(kind)
    telnyx = TelnyxProvider(
        "KEY_SANDBOX", rig.telnyx._base_url, limits=TimeLimits(read=0.3 if kind == "hang_before" else 5.0)
    )
    assert isinstance(await telnyx.state(provider_id), NotCompared)
    assert isinstance(await telnyx.look_up(NUMBER), NotCompared)
    await telnyx.aclose()
    times = 2 if kind == "reset_before" else 1  # a GET on a connection that died is asked again, once
    assert rig.stage.journal.count() == {"state": times, "lookup": times}


async def test_a_wrong_key_is_ours_and_a_guess_with_it_not_compared(rig: ProviderRig) -> None:
    telnyx = TelnyxProvider("KEY_OTHER", rig.telnyx._base_url)
    assert await telnyx.send(ORDER) == AccountProblem("10009")
    assert await telnyx.check(ID, "123456") == NotCompared("10009")
    assert await telnyx.state(ID) == NotCompared("10009")
    await telnyx.aclose()


async def test_no_number_code_or_key_is_logged_at_any_level(rig: ProviderRig, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        provider_id = await rig.send()
        await rig.telnyx.check(provider_id, "918273")
        await rig.telnyx.state(provider_id)
        await rig.telnyx.look_up(NUMBER)
        rig.break_with("refuse")
        await rig.telnyx.send(ORDER)
    said = caplog.text + repr([record.__dict__ for record in caplog.records])
    assert not any(secret in said for secret in (NUMBER[1:], "918273", "KEY_SANDBOX"))
