"""What follows from each kind of answer that Telnyx gives to a send."""

from __future__ import annotations

import asyncio

import pytest

from service.sandbox.faults import Fault, FaultKind
from tests.support.dispatching import acted_on, calls_to, ended, make_at_telnyx, numbers
from tests.support.gateway import PHONE, POLICY, run_gateway
from tests.support.waiting import until

ACTED: list[FaultKind] = ["hang_after", "reset_after", "garbage", "gateway_timeout"]
NOT_ACTED: list[FaultKind] = ["hang_before", "reset_before"]
LANDLINE = "+14155550105"
REFUSED = "+14155550102"


@pytest.mark.parametrize("mode", ["offer", "auto"])
async def test_a_refused_channel_is_followed_by_the_next_at_once(database_url: str, mode: str) -> None:
    async with run_gateway(database_url, policy=f'{POLICY}[fallback]\nmode = "{mode}"') as gateway:
        landline, refused = await gateway.begin(LANDLINE), await gateway.begin(REFUSED)
        sms, call = await ended(gateway, landline, 2)
        assert [(one["channel"], one["state"], one["cause"]) for one in (sms, call)] == [
            ("sms", "refused", "request"),
            ("call", "sent", "refused"),
        ]
        assert (call["ended_at"] - sms["ended_at"]).total_seconds() < 10  # `after` is 30 s
        assert [one["state"] for one in await ended(gateway, refused, 3)] == ["refused"] * 3
        assert [call.channel for call in calls_to(gateway, REFUSED)] == ["sms", "call", "flashcall"]


async def test_with_fallback_off_a_refused_channel_is_the_end(database_url: str) -> None:
    async with run_gateway(database_url, policy=f'{POLICY}[fallback]\nmode = "off"') as gateway:
        await ended(gateway, await gateway.begin(LANDLINE))
        await asyncio.sleep(1)
        assert [call.channel for call in calls_to(gateway, LANDLINE)] == ["sms"]


async def test_a_send_that_was_not_taken_is_tried_again_until_it_is(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",), times=2))
        [send] = await ended(gateway, await gateway.begin())
        assert (send["state"], send["attempts"]) == ("sent", 3)
        assert [call.acted for call in calls_to(gateway, PHONE)] == [False, False, True]


async def test_a_send_that_is_tried_again_is_decided_once_and_counts_once(database_url: str) -> None:
    async with run_gateway(database_url, policy=f'{POLICY}phone_everywhere = ["1/1h"]') as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",), times=2))
        [send] = await ended(gateway, await gateway.begin())
        assert (send["state"], send["provider"], send["attempts"]) == ("sent", "telnyx", 3)


async def test_a_send_that_is_never_taken_is_given_up_at_its_deadline(database_url: str) -> None:
    policy = f'{POLICY}[verification]\ndispatch_deadline = "2s"'
    async with run_gateway(database_url, policy=policy) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",)))
        [send] = await ended(gateway, await gateway.begin())
        assert (send["state"], send["provider_id"]) == ("abandoned", None)
        assert (send["ended_at"] - send["wanted_at"]).total_seconds() >= 2
        tried = len(calls_to(gateway, PHONE))
        assert tried >= 2
        gateway.stage.faults.clear()
        await asyncio.sleep(1)
        assert len(calls_to(gateway, PHONE)) == tried


async def test_a_send_in_doubt_is_adopted_when_telnyx_acted_and_never_made_twice(database_url: str) -> None:
    kinds = ACTED + NOT_ACTED
    phones = dict(zip(kinds, numbers(len(kinds)), strict=True))
    async with run_gateway(database_url) as gateway:
        for kind, phone in phones.items():
            gateway.stage.faults.add(Fault(kind=kind, operations=("send",), phone_number=phone, times=1))
        begun = {kind: await gateway.begin(phone) for kind, phone in phones.items()}
        for kind, verification in begun.items():
            [send] = await ended(gateway, verification)
            assert len(calls_to(gateway, phones[kind])) == 1, kind
            assert send["state"] == ("sent" if kind in ACTED else "in_doubt"), kind
            if kind in ACTED:
                [call] = acted_on(gateway, phones[kind])
                assert send["provider_id"] == call.verification_id, kind
                code = gateway.telnyx.find_code(send["provider_id"])
                assert (await gateway.verify(verification, code)).body["verified"] is True, kind


async def test_a_send_that_telnyx_makes_a_moment_after_the_connection_broke_is_adopted_too(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="reset_before", operations=("send",), times=1))
        verification = await gateway.begin()
        await until(lambda: bool(gateway.stage.journal.list_calls("lookup")), "it was looked for")
        late = make_at_telnyx(gateway, PHONE)
        [send] = await ended(gateway, verification)
        assert (send["state"], send["provider_id"], len(calls_to(gateway, PHONE))) == ("sent", late.id, 1)


async def test_a_send_in_doubt_that_cannot_be_looked_up_stays_in_doubt_and_is_not_repeated(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("send",), times=1))
        gateway.stage.faults.add(Fault(kind="error500", operations=("lookup",)))
        [send] = await ended(gateway, await gateway.begin())
        assert (send["state"], send["provider_id"]) == ("in_doubt", None)
        gateway.stage.faults.clear()
        await asyncio.sleep(1)
        assert len(calls_to(gateway, PHONE)) == 1


async def test_no_connection_to_telnyx_loses_nothing(database_url: str) -> None:
    dead = "http://127.0.0.1:9/v2"
    async with run_gateway(database_url, TELNYX_BASE_URL=dead) as gateway:
        verification = await gateway.begin()

        async def tried() -> bool:
            found = await gateway.database.pool.fetchval("select attempts from sends where state = 'due'")
            return (found or 0) >= 2

        await until(tried, "it was tried again")
        assert (await gateway.read(verification)).body["status"] == "pending"
