"""What Telnyx reports, from end to end: it steers our next sends, and nothing that a caller can see."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from service.sandbox.telnyx.service import TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.support.gateway import PHONE, Gateway, read_code, run_gateway
from tests.support.telnyx_calls import connect, deliver, write_event
from tests.support.waiting import until

QUICK = Manners(sent_after=0.0, delivered_after=0.1, slow_after=0.1, retry_after=0.05)
UNDELIVERED = "+14155550101"
SMS_FAILS = "+14155550106"


async def read_deliveries(gateway: Gateway, verification: str) -> list[tuple[str, str, str | None]]:
    rows = await gateway.database.pool.fetch(
        "select channel, cause, delivery from sends where verification_id = $1::text::uuid order by ordinal",
        verification,
    )
    return [(row["channel"], row["cause"], row["delivery"]) for row in rows]


async def wait_for_deliveries(
    gateway: Gateway, verification: str, expected: Sequence[tuple[str, str, str | None]]
) -> None:
    async def are_there() -> bool:
        return await read_deliveries(gateway, verification) == list(expected)

    await until(are_there, f"the deliveries are {expected}")


@pytest.mark.parametrize(
    "manners",
    [
        QUICK,
        Manners(sent_after=0.0, delivered_after=0.1, duplicates=3),
        Manners(sent_after=0.0, delivered_after=0.2, disorder=True, duplicates=1),
        Manners(sent_after=0.0, delivered_after=0.0, same_id=True),
    ],
    ids=["plain", "copies", "disorder", "one id"],
)
async def test_however_telnyx_tells_it_a_delivery_is_recorded_once_and_right(
    database_url: str, manners: Manners
) -> None:
    async with run_gateway(database_url, telnyx=TelnyxSettings(manners=manners)) as gateway:
        connect(gateway)
        verification = await gateway.begin()
        await wait_for_deliveries(gateway, verification, [("sms", "request", "delivered")])
        copies = (1 + manners.duplicates) * 2
        await until(lambda: len(gateway.telnyx.courier.attempts) == copies, "every copy came")
        assert {attempt.status for attempt in gateway.telnyx.courier.attempts} == {200}
        assert await gateway.database.pool.fetchval("select count(*) from webhook_events") == 2
        assert await read_deliveries(gateway, verification) == [("sms", "request", "delivered")]
        assert (await gateway.verify(verification, await read_code(gateway))).body["verified"] is True


async def test_events_that_overtake_the_answer_to_the_send_are_applied_after_it(database_url: str) -> None:
    manners = Manners(sent_after=0.0, delivered_after=0.0)
    async with run_gateway(database_url, telnyx=TelnyxSettings(manners=manners)) as gateway:
        connect(gateway)
        gateway.stage.latency["send"] = 0.6
        verification = await gateway.begin()
        await until(lambda: len(gateway.telnyx.courier.attempts) == 2, "both came")
        assert await read_deliveries(gateway, verification) == [("sms", "request", None)], "not answered yet"
        await wait_for_deliveries(gateway, verification, [("sms", "request", "delivered")])


def shown(reply: Any) -> Any:
    return reply.status, reply.body


async def test_a_failed_delivery_goes_on_to_the_next_channel_and_the_caller_sees_nothing(database_url: str) -> None:
    async with run_gateway(database_url, telnyx=TelnyxSettings(manners=QUICK)) as gateway:
        connect(gateway)
        verification = await gateway.begin(SMS_FAILS)
        before = await gateway.read(verification)
        await wait_for_deliveries(
            gateway, verification, [("sms", "request", "failed"), ("call", "failed", "delivered")]
        )
        assert shown(await gateway.read(verification)) == shown(before)
        assert before.body["fallback"]["channel"] == "call", "the caller's own calls decide which fallback is next"
        assert (await gateway.verify(verification, "123456")).body["verified"] is True


async def test_a_number_that_nothing_reaches_is_tried_once_a_channel(database_url: str) -> None:
    async with run_gateway(database_url, telnyx=TelnyxSettings(manners=QUICK)) as gateway:
        connect(gateway)
        verification = await gateway.begin(UNDELIVERED)
        before = await gateway.read(verification)
        failed = [("sms", "request", "failed"), ("call", "failed", "failed"), ("flashcall", "failed", "failed")]
        await wait_for_deliveries(gateway, verification, failed)
        assert gateway.stage.journal.count()["send"] == 3
        assert shown(await gateway.read(verification)) == shown(before)


async def test_with_fallback_off_a_failed_delivery_is_recorded_and_that_is_all(database_url: str) -> None:
    policy = '[fallback]\nmode = "off"\n'
    async with run_gateway(database_url, policy=policy, telnyx=TelnyxSettings(manners=QUICK)) as gateway:
        connect(gateway)
        verification = await gateway.begin(SMS_FAILS)
        await wait_for_deliveries(gateway, verification, [("sms", "request", "failed")])
        await asyncio.sleep(0.6)
        assert gateway.stage.journal.count()["send"] == 1


async def test_no_event_verifies_locks_or_ends_anything(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification = await gateway.begin()
        await read_code(gateway)
        (sent,) = gateway.telnyx.verifications.list_by_phone(PHONE)
        await wait_for_deliveries(gateway, verification, [("sms", "request", "sent")])
        before = await gateway.read(verification)
        for status in ("accepted", "verified", "expired", "invalid", "canceled", "delivered"):
            answer = await deliver(gateway, write_event(sent.id, "verify.delivered", status))
            assert answer.status == 200
        await wait_for_deliveries(gateway, verification, [("sms", "request", "delivered")])
        assert shown(await gateway.read(verification)) == shown(before)


async def test_a_decoy_has_no_events_and_shows_no_difference(database_url: str) -> None:
    async with run_gateway(database_url, telnyx=TelnyxSettings(manners=QUICK)) as gateway:
        connect(gateway)
        verification = await gateway.begin(deliver=False)
        await wait_for_deliveries(gateway, verification, [("sms", "request", "sent")])
        assert not gateway.telnyx.courier.attempts
        assert (await gateway.read(verification)).body["status"] == "pending"
