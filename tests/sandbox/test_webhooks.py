"""The sandbox's webhooks are signed, ordered, repeated and doubled as Telnyx's are."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Litestar, Request, Response, post

from service.sandbox.telnyx.service import PROFILE_ID, TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from tests.support.fake_telnyx import PHONE, Caller, call_telnyx
from tests.support.serving import serve_app

QUICK = Manners(sent_after=0.0, delivered_after=0.05, slow_after=0.05, retry_after=0.02)


class Receiver:
    """Takes webhooks in and answers with `statuses` in turn, then with 200."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.statuses: list[int] = []

    async def take(self, request: Request[Any, Any, Any]) -> Response[None]:
        await self.received.put((dict(request.headers), await request.body()))
        return Response(None, status_code=self.statuses.pop(0) if self.statuses else 200)

    async def next(self) -> dict[str, Any]:
        _, body = await asyncio.wait_for(self.received.get(), 5)
        decoded: dict[str, Any] = msgspec.json.decode(body)
        return decoded


@asynccontextmanager
async def listen(manners: Manners = QUICK) -> AsyncIterator[tuple[Caller, Receiver]]:
    receiver = Receiver()
    app = Litestar([post("/hook")(receiver.take)], openapi_config=None, logging_config=None)
    async with (
        serve_app(app) as url,
        call_telnyx(TelnyxSettings(webhook_url=url + "/hook", manners=manners, slow_answer=0.0)) as caller,
    ):
        yield caller, receiver


def verify_signature(caller: Caller, headers: dict[str, str], body: bytes) -> None:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(caller.telnyx.public_key))
    signed = headers["telnyx-timestamp"].encode() + b"|" + body
    key.verify(base64.b64decode(headers["telnyx-signature-ed25519"]), signed)


async def test_a_send_is_announced_as_sent_and_then_as_delivered() -> None:
    async with listen() as (telnyx, receiver):
        verification_id = await telnyx.begin()
        sent, delivered = await receiver.next(), await receiver.next()
        code = telnyx.telnyx.find_code(verification_id)
    assert [one["data"]["event_type"] for one in (sent, delivered)] == ["verify.sent", "verify.delivered"]
    payload = delivered["data"]["payload"]
    assert (payload["id"], payload["profile_id"], payload["phone_number"]) == (verification_id, PROFILE_ID, PHONE)
    assert (payload["delivery_status"], payload["custom_code"], payload["type"]) == ("delivered", code, "sms")
    assert delivered["meta"]["attempt"] == 1
    assert len({sent["data"]["id"], delivered["data"]["id"], verification_id}) == 3


async def test_every_webhook_is_signed_over_its_timestamp_and_raw_body() -> None:
    async with listen() as (telnyx, receiver):
        await telnyx.begin()
        headers, body = await receiver.received.get()
        verify_signature(telnyx, headers, body)
        with pytest.raises(InvalidSignature):
            verify_signature(telnyx, headers, body + b" ")
        _, answer = await telnyx.call("GET", "/control/public-key")
        assert answer == {"public_key": telnyx.telnyx.public_key}


@pytest.mark.parametrize(
    ("phone_number", "events"),
    [
        ("+14155550101", [("verify.sent", "sent"), ("verify.failed", "delivery_failed")]),
        ("+14155550103", [("verify.sent", "sent"), ("verify.delivered", "delivered")]),
        ("+14155550107", [("verify.sent", "sent")]),
        ("+14155550102", []),
    ],
)
async def test_scripted_numbers_are_reported_as_their_table_says(
    phone_number: str, events: list[tuple[str, str]]
) -> None:
    async with listen() as (telnyx, receiver):
        await telnyx.send(phone_number)
        got = [await receiver.next() for _ in events]
        await asyncio.sleep(0.1)
        assert receiver.received.empty()
    assert [(one["data"]["event_type"], one["data"]["payload"]["delivery_status"]) for one in got] == events


async def test_what_is_not_answered_with_2xx_is_sent_again_with_the_same_id() -> None:
    async with listen() as (telnyx, receiver):
        receiver.statuses = [500, 302]
        telnyx.telnyx.courier.manners = msgspec.structs.replace(QUICK, reports=False)
        await telnyx.begin()
        events = [await receiver.next() for _ in range(3)]
        await asyncio.sleep(0.05)
        _, attempts = await telnyx.call("GET", "/control/webhooks")
    assert [one["meta"]["attempt"] for one in events] == [1, 2, 3]
    assert len({one["data"]["id"] for one in events}) == 1
    assert [one["status"] for one in attempts] == [500, 302, 200]


async def test_duplicates_repeat_an_event_that_was_taken() -> None:
    async with listen(msgspec.structs.replace(QUICK, duplicates=2, reports=False)) as (telnyx, receiver):
        await telnyx.begin()
        events = [await receiver.next() for _ in range(3)]
    assert len({one["data"]["id"] for one in events}) == 1


async def test_disorder_brings_delivered_before_sent() -> None:
    async with listen(msgspec.structs.replace(QUICK, disorder=True)) as (telnyx, receiver):
        await telnyx.begin()
        events = [(await receiver.next())["data"]["event_type"] for _ in range(2)]
    assert events == ["verify.delivered", "verify.sent"]


async def test_a_webhook_can_overtake_the_answer_to_its_own_send() -> None:
    async with listen() as (telnyx, receiver):
        telnyx.stage.latency = {"send": 0.5}
        sending = asyncio.create_task(telnyx.begin())
        event = await receiver.next()
        assert not sending.done()
        assert event["data"]["payload"]["id"] == await sending


async def test_webhooks_can_come_unsigned_and_with_the_verifications_id() -> None:
    async with listen() as (telnyx, receiver):
        manners = {"signed": False, "same_id": True, "sent_after": 0, "reports": False}
        status, _ = await telnyx.call("PUT", "/control/webhooks", manners)
        assert status == 200
        verification_id = await telnyx.begin()
        headers, body = await receiver.received.get()
    assert "telnyx-signature-ed25519" not in headers
    assert msgspec.json.decode(body)["data"]["id"] == verification_id


async def test_without_an_address_nothing_is_announced() -> None:
    async with call_telnyx(TelnyxSettings(manners=QUICK)) as telnyx:
        await telnyx.begin()
        await asyncio.sleep(0.1)
        assert not telnyx.telnyx.courier.attempts


async def test_during_an_outage_of_a_route_its_numbers_are_reported_as_not_delivered_and_others_are() -> None:
    async with listen() as (telnyx, receiver):
        quick = {"sent_after": 0, "delivered_after": 0.05, "undelivered": [PHONE[:5]]}
        assert (await telnyx.call("PUT", "/control/webhooks", quick))[0] == 200
        await telnyx.begin()
        told = [(await receiver.next())["data"]["event_type"] for _ in range(2)]
        assert told == ["verify.sent", "verify.failed"]
        assert (await telnyx.call("PUT", "/control/webhooks", quick | {"undelivered": []}))[0] == 200
        await telnyx.begin()
        told = [(await receiver.next())["data"]["event_type"] for _ in range(2)]
        assert told == ["verify.sent", "verify.delivered"]
