"""The next channel by itself: on failure at once, with mode auto without delivery, and never seen by a caller."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from service.sandbox.faults import Fault
from service.sandbox.telnyx.service import TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.support.dispatching import calls_to, ended, send_webhooks
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Gateway, read_code, run_gateway, wrong

AUTO = f'{POLICY}[fallback]\nmode = "auto"\nafter = "1s"'
DELIVERED, UNDELIVERED, REFUSED = "+14155550100", "+14155550101", "+14155550102"
SMS_UNDELIVERED = "+14155550106"
BRITISH, PREMIUM = "+447700900123", "+19002345678"
CHANNELS = ["sms", "call", "flashcall"]
NAMES = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?")


def quickly(**manners: Any) -> TelnyxSettings:
    return TelnyxSettings(manners=Manners(**({"sent_after": 0.05, "delivered_after": 0.1} | manners)))


async def channels_after(gateway: Gateway, verification: str, count: int, wait: float) -> list[tuple[str, str]]:
    """Wait for so many sends and a while longer; return their channels and causes."""
    await ended(gateway, verification, count)
    await asyncio.sleep(wait)
    return [(send["channel"], send["cause"]) for send in await ended(gateway, verification, count)]


async def test_auto_goes_through_the_order_without_delivery_and_no_further(database_url: str) -> None:
    async with run_gateway(database_url, policy=AUTO, telnyx=quickly(reports=False)) as gateway:
        send_webhooks(gateway)
        found = await channels_after(gateway, await gateway.begin(), 3, 1.5)
        assert found == [("sms", "request"), ("call", "waited"), ("flashcall", "waited")]
        sms, call, flashcall = calls_to(gateway, PHONE)
        assert call.at - sms.at >= 1
        assert flashcall.at - call.at >= 1


@pytest.mark.parametrize("ending", ["delivered", "verified", "canceled"])
async def test_auto_stops_at_a_delivery_and_at_the_end_of_the_verification(database_url: str, ending: str) -> None:
    async with run_gateway(database_url, policy=AUTO, telnyx=quickly(reports=ending == "delivered")) as gateway:
        send_webhooks(gateway)
        verification = await gateway.begin()
        if ending == "verified":
            await gateway.verify(verification, await read_code(gateway))
        if ending == "canceled":
            await ended(gateway, verification)
            await gateway.cancel(verification)
        assert await channels_after(gateway, verification, 1, 2.5) == [("sms", "request")]


async def test_without_auto_nothing_follows_for_want_of_a_report(database_url: str) -> None:
    policy = AUTO.replace("auto", "offer")
    async with run_gateway(database_url, policy=policy, telnyx=quickly(reports=False)) as gateway:
        send_webhooks(gateway)
        assert await channels_after(gateway, await gateway.begin(), 1, 2.5) == [("sms", "request")]


@pytest.mark.parametrize("overtaking", [False, True])
async def test_a_failed_delivery_goes_on_at_once_also_when_its_webhook_overtakes_our_record(
    database_url: str, *, overtaking: bool
) -> None:
    async with run_gateway(database_url, telnyx=quickly()) as gateway:
        send_webhooks(gateway)
        if overtaking:
            gateway.stage.faults.add(Fault(kind="slow", operations=("send",), times=1, seconds=1.0))
        found = await channels_after(gateway, await gateway.begin(SMS_UNDELIVERED), 2, 0.5)
        assert found == [("sms", "request"), ("call", "failed")]


async def test_a_failure_told_twice_and_out_of_order_sends_each_channel_once(database_url: str) -> None:
    async with run_gateway(database_url, telnyx=quickly(duplicates=2, disorder=True)) as gateway:
        send_webhooks(gateway)
        found = await channels_after(gateway, await gateway.begin(UNDELIVERED), 3, 1.0)
        assert [channel for channel, _ in found] == CHANNELS
        assert [call.channel for call in calls_to(gateway, UNDELIVERED)] == CHANNELS


async def test_a_fallback_finds_its_channel_sent_already_and_no_channel_is_sent_twice(database_url: str) -> None:
    async with run_gateway(database_url, policy=AUTO.replace("auto", "offer"), telnyx=quickly()) as gateway:
        send_webhooks(gateway)
        verification = await gateway.begin(UNDELIVERED)
        await ended(gateway, verification, 3)
        for _ in range(2):
            await asyncio.sleep(1.1)
            assert (await gateway.use_fallback(verification)).status == 202
        assert await channels_after(gateway, verification, 3, 0.5)
        assert [call.channel for call in calls_to(gateway, UNDELIVERED)] == CHANNELS


async def story(gateway: Gateway, phone: str, *, deliver: bool) -> list[bytes]:
    """Return all that a caller sees of one verification, ids and times blotted out."""
    told: list[bytes] = []

    async def call(method: str, path: str, body: Any = None) -> Any:
        given = {"authorization": f"Bearer {gateway.key}"}
        async with gateway.session.request(method, gateway.url + path, json=body, headers=given) as response:
            text = await response.read()
            names = ",".join(name.lower() for name in response.headers)
            told.append(b"%d %s %s" % (response.status, names.encode(), NAMES.sub(b"*", text)))
            return await response.json()

    asked = {"phone_number": phone, "ip_address": "203.0.113.9", "deliver": deliver}
    made = await call("POST", "/v1/verifications", asked)
    path = f"/v1/verifications/{made['id']}"
    for wait in (0.0, 0.5, 2.0):
        await asyncio.sleep(wait)
        await call("GET", path)
    codes = gateway.telnyx.verifications.list_by_phone(phone)
    await call("POST", f"{path}/verify", {"code": wrong(codes[0].code) if codes else "000000"})
    for _ in range(3):
        await call("POST", f"{path}/fallback")
        await call("GET", path)
        await asyncio.sleep(1.1)
    return told


async def test_a_caller_sees_nothing_of_what_became_of_the_sends(database_url: str) -> None:
    async with run_gateway(database_url, policy=AUTO, telnyx=quickly()) as gateway:
        send_webhooks(gateway)
        phones = [DELIVERED, UNDELIVERED, REFUSED, SMS_UNDELIVERED, BRITISH, PREMIUM, PHONE]
        stories = await asyncio.gather(
            *(story(gateway, phone, deliver=True) for phone in phones), story(gateway, OTHER_PHONE, deliver=False)
        )
        for phone, told in zip([*phones, "decoy"], stories, strict=True):
            assert told == stories[0], phone
        sent = {phone: len(calls_to(gateway, phone)) for phone in (REFUSED, BRITISH, OTHER_PHONE)}
        assert sent == {REFUSED: 3, BRITISH: 0, OTHER_PHONE: 0}
