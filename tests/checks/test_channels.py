"""Every send of a verification is asked at the same time, by its id: a code of any channel that was tried is right."""

from __future__ import annotations

import asyncio
import time

from service.sandbox.faults import Fault
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Gateway, read_code, run_gateway
from tests.support.guessing import count_guesses_at_telnyx, wrong_codes

QUICK = POLICY + '[fallback]\nafter = "1s"\n'


async def begin_on_all(gateway: Gateway, phone_number: str = PHONE) -> tuple[str, dict[str, str]]:
    """Request by sms, use the fallback for a call and for a flashcall; returns the id and the codes by channel."""
    verification = await gateway.begin(phone_number)
    codes = {"sms": await read_code(gateway, phone_number)}
    for channel in ("call", "flashcall"):
        offer = (await gateway.read(verification)).body["fallback"]
        assert offer["channel"] == channel
        await asyncio.sleep(1.0)
        assert (await gateway.use_fallback(verification)).status == 202
        codes[channel] = await read_code(gateway, phone_number, channel)
    return verification, codes


async def test_a_code_of_any_channel_that_was_tried_is_right(database_url: str) -> None:
    async with run_gateway(database_url, policy=QUICK) as gateway:
        numbers = {"sms": PHONE, "call": OTHER_PHONE, "flashcall": "+13125550144"}
        begun = await asyncio.gather(*(begin_on_all(gateway, number) for number in numbers.values()))
        await asyncio.sleep(1.0)
        gateway.stage.latency = {"check": 1.0}
        for (channel, number), (verification, codes) in zip(numbers.items(), begun, strict=True):
            gateway.stage.journal.clear()
            assert (await gateway.verify(verification, codes[channel])).body["verified"] is True
            asked = gateway.stage.journal.list_calls("check")
            held = {one.id for one in gateway.telnyx.verifications.list_by_phone(number)}
            assert {call.verification_id for call in asked} == held
            assert max(call.at for call in asked) - min(call.at for call in asked) < 1.0


async def test_a_right_code_does_not_wait_for_the_other_channels(database_url: str) -> None:
    async with run_gateway(database_url, policy=QUICK) as gateway:
        verification, codes = await begin_on_all(gateway)
        gateway.stage.faults.add(Fault(kind="hang_before", operations=("check",), channel="sms"))
        began = time.monotonic()
        assert (await gateway.verify(verification, codes["flashcall"])).body["verified"] is True
        assert time.monotonic() - began < 4.0


async def test_a_guess_that_one_channel_compared_is_spent_though_another_did_not(database_url: str) -> None:
    """Otherwise a Telnyx that fails for calls would sell guesses at the sms for nothing."""
    async with run_gateway(database_url, policy=QUICK) as gateway:
        verification, codes = await begin_on_all(gateway)
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), channel="call"))
        for remaining, code in zip((4, 3), wrong_codes(codes["sms"], 2), strict=True):
            reply = await gateway.verify(verification, code)
            assert (reply.status, reply.body["attempts_remaining"]) == (200, remaining)
        assert count_guesses_at_telnyx(gateway) == 6
        gateway.stage.faults.clear()
        assert (await gateway.verify(verification, codes["call"])).body["verified"] is True
