"""Taking over what a dead process began: its send is adopted where Telnyx made it, and made where it did not."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.sandbox.faults import Fault
from service.sandbox.telnyx.service import PROFILE_ID
from tests.support.dispatching import calls_to, crash, end_lease, ended, make_at_telnyx, run_beside, sends
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Gateway, run_gateway
from tests.support.waiting import until

BEGUN = 20.0
OTHER_PROFILE = "5a9dbeef-0000-4000-8000-000000000002"


def run_idle(database_url: str) -> AbstractAsyncContextManager[Gateway]:
    """Serve a gateway that takes requests and sends nothing, as one that dies at once. The next one sends."""
    return run_gateway(database_url, MAX_SENDS="0")


def made(gateway: Gateway, *, ago: float, channel: Any = "sms", profile: str = PROFILE_ID) -> str:
    """Have Telnyx hold a verification of the number that was made some seconds ago; return its id."""
    verification = make_at_telnyx(gateway, PHONE, channel=channel, profile=profile)
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    verification.created_at = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    return verification.id


async def take_over(gateway: Gateway, *verifications: str) -> list[Any]:
    """Let another process take over, and return how each send ended."""
    async with run_beside(gateway, MAX_SENDS="100"):
        return [(await ended(gateway, verification))[0] for verification in verifications]


@pytest.mark.parametrize("ago", [BEGUN - 1, BEGUN + 4])
async def test_what_telnyx_made_is_adopted_and_nothing_is_sent(database_url: str, ago: float) -> None:
    async with run_idle(database_url) as gateway:
        verification = await gateway.begin()
        await crash(gateway, verification, begun=BEGUN)
        made(gateway, ago=BEGUN + 3)
        newest = made(gateway, ago=min(ago, BEGUN + 2))
        [send] = await take_over(gateway, verification)
        assert (send["state"], send["provider_id"], calls_to(gateway, PHONE)) == ("sent", newest, [])
        code = gateway.telnyx.find_code(newest)
        assert (await gateway.verify(verification, code)).body["verified"] is True


@pytest.mark.parametrize(
    "other", [{"ago": BEGUN + 6}, {"ago": 19, "channel": "call"}, {"ago": 19, "profile": OTHER_PROFILE}, None]
)
async def test_what_is_not_this_send_is_left_alone_and_the_send_is_made(
    database_url: str, other: dict[str, Any] | None
) -> None:
    async with run_idle(database_url) as gateway:
        verification = await gateway.begin()
        await crash(gateway, verification, begun=BEGUN)
        if other is not None:
            made(gateway, **other)
        [send] = await take_over(gateway, verification)
        [call] = calls_to(gateway, PHONE)
        assert (send["state"], send["provider_id"]) == ("sent", call.verification_id)


async def test_what_another_row_holds_is_not_adopted(database_url: str) -> None:
    async with run_idle(database_url) as gateway:
        other, verification = await gateway.begin(), await gateway.begin()
        held = made(gateway, ago=BEGUN - 1)
        await gateway.database.pool.execute(
            "update sends set state = 'sent', provider = 'telnyx', provider_id = $2 where verification_id = $1",
            uuid.UUID(other), held,
        )  # fmt: skip
        await crash(gateway, verification, begun=BEGUN)
        [send] = await take_over(gateway, verification)
        [call] = calls_to(gateway, PHONE)
        assert (send["state"], send["provider_id"]) == ("sent", call.verification_id)


async def test_a_look_up_that_fails_leaves_the_send_in_doubt_and_nothing_is_sent(database_url: str) -> None:
    async with run_idle(database_url) as gateway:
        verification = await gateway.begin()
        await crash(gateway, verification)
        gateway.stage.faults.add(Fault(kind="error500", operations=("lookup",)))
        [send] = await take_over(gateway, verification)
        await asyncio.sleep(0.5)
        assert (send["state"], send["provider_id"], calls_to(gateway, PHONE)) == ("in_doubt", None, [])


async def test_past_its_deadline_a_send_is_still_adopted_but_no_longer_made(database_url: str) -> None:
    async with run_idle(database_url) as gateway:
        verification, lost = await gateway.begin(), await gateway.begin(OTHER_PHONE)
        for one in (verification, lost):
            await crash(gateway, one, begun=70, wanted=70)
        found = made(gateway, ago=69)
        adopted, given_up = await take_over(gateway, verification, lost)
        assert (adopted["state"], adopted["provider_id"]) == ("sent", found)
        assert (given_up["state"], calls_to(gateway, OTHER_PHONE)) == ("abandoned", [])


async def test_a_decoy_and_a_test_client_are_taken_over_without_a_word_to_telnyx(database_url: str) -> None:
    async with run_idle(database_url) as gateway:
        rehearsal = await gateway.client("tests", test=True)
        decoy, test = await gateway.begin(deliver=False), await rehearsal.begin(OTHER_PHONE)
        for one in (decoy, test):
            await crash(gateway, one)
        found = await take_over(gateway, decoy, test)
        assert [(send["state"], send["provider"]) for send in found] == [("sent", "silent"), ("sent", "rehearsal")]
        asked = {call.phone_number for call in gateway.stage.journal.list_calls()}
        assert not asked & {PHONE, OTHER_PHONE}


async def test_a_process_that_was_too_slow_records_nothing_over_who_took_its_send(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway, run_beside(gateway):
        gateway.stage.latency["send"] = 1.5
        verification = await gateway.begin()
        await until(lambda: len(calls_to(gateway, PHONE)) == 1, "Telnyx was called")
        await end_lease(gateway, verification)
        await ended(gateway, verification, patience=1.2)
        taken = await sends(gateway, verification)
        await asyncio.sleep(2)
        assert await sends(gateway, verification) == taken
        [call] = calls_to(gateway, PHONE)
        assert taken[0]["provider_id"] == call.verification_id
