"""The next channel as a caller uses it: what is offered, when it is taken, and how it counts."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.dispatching import acted_on, calls_to, ended
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, Reply, run_gateway
from tests.support.waiting import until

SOON = """
[limits]
ip = ["1000/1h"]
phone = ["1000/1h"]
[fallback]
after = "1s"
"""
REFUSED = "+14155550102"
BRITISH = "+447700900123"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def offered(reply: Reply) -> tuple[str, datetime] | None:
    offer: Any = reply.body["fallback"]
    return (offer["channel"], moment(offer["available_at"])) if offer else None


async def use_fallback_when_offered(gateway: Gateway, verification: str) -> Reply:
    """Use a fallback as often as it is too early, and return the first answer that says otherwise."""
    reply = await gateway.use_fallback(verification)

    async def is_offered() -> bool:
        nonlocal reply
        reply = await gateway.use_fallback(verification)
        return reply.status != 409 or "too-early" not in reply.body["type"]

    if reply.status == 409 and "too-early" in reply.body["type"]:
        await until(is_offered, "it is not too early")
    return reply


@pytest.mark.parametrize(
    ("first", "then"), [("sms", ["call", "flashcall"]), ("call", ["sms", "flashcall"]), ("flashcall", ["sms", "call"])]
)
async def test_the_offer_goes_through_the_order_and_counts_from_the_callers_own_last_call(
    database_url: str, first: str, then: list[str]
) -> None:
    async with run_gateway(database_url, policy=SOON) as gateway:
        reply = await gateway.request(channel=first)
        since = moment(reply.body["created_at"])
        for channel in then:
            assert offered(reply) == (channel, since + timedelta(seconds=1))
            assert offered(await gateway.read(reply.body["id"])) == offered(reply)
            before = since
            reply = await use_fallback_when_offered(gateway, reply.body["id"])
            assert reply.status == 202
            row = "select pressed_at from verifications"
            since = await gateway.database.pool.fetchval(row)
            assert since >= before + timedelta(seconds=1)
        assert offered(reply) is None
        spent = await gateway.use_fallback(reply.body["id"])
        assert (spent.status, spent.body["type"].rsplit(":")[-1]) == (409, "no-channel-left")
        found = await ended(gateway, reply.body["id"], 3)
        assert [(send["channel"], send["state"]) for send in found] == [(one, "sent") for one in (first, *then)]
        assert [call.channel for call in acted_on(gateway, PHONE)] == [first, *then]


async def test_an_early_fallback_is_told_when_to_come_back_and_changes_nothing(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification = await gateway.begin()
        await ended(gateway, verification)
        counted = await gateway.database.pool.fetch("select * from counters order by subject")
        before = (await gateway.read(verification)).body
        early = await gateway.use_fallback(verification)
        assert (early.status, early.body["type"].rsplit(":")[-1]) == (409, "too-early")
        assert 25 <= int(early.headers["retry-after"]) <= 30
        assert (await gateway.read(verification)).body == before
        assert await gateway.database.pool.fetch("select * from counters order by subject") == counted
        assert len(calls_to(gateway, PHONE)) == 1


async def test_of_fallbacks_at_the_same_moment_one_is_taken_and_one_send_is_made(database_url: str) -> None:
    async with run_gateway(database_url, policy=SOON) as gateway:
        verification = await gateway.begin()
        await asyncio.sleep(1.1)
        replies = await asyncio.gather(*(gateway.use_fallback(verification) for _ in range(10)))
        assert sorted(reply.status for reply in replies) == [202] + [409] * 9
        await ended(gateway, verification, 2)
        assert [call.channel for call in calls_to(gateway, PHONE)] == ["sms", "call"]


async def test_with_fallback_off_nothing_is_offered_and_nothing_taken(database_url: str) -> None:
    async with run_gateway(database_url, policy='[fallback]\nmode = "off"') as gateway:
        reply = await gateway.request()
        assert offered(reply) is None
        used = await gateway.use_fallback(reply.body["id"])
        assert (used.status, used.body["type"].rsplit(":")[-1]) == (409, "no-channel-left")


@pytest.mark.parametrize(("phone", "deliver"), [(PHONE, True), (PHONE, False), (REFUSED, True), (BRITISH, True)])
async def test_a_fallback_in_time_is_always_taken_whatever_became_of_the_sends(
    database_url: str, phone: str, *, deliver: bool
) -> None:
    async with run_gateway(database_url, policy=SOON) as gateway:
        verification = await gateway.begin(phone, deliver=deliver)
        for _ in range(2):
            assert (await use_fallback_when_offered(gateway, verification)).status == 202
        await ended(gateway, verification, 3)
        channels = [call.channel for call in calls_to(gateway, phone)]
        assert channels == (["sms", "call", "flashcall"] if deliver and phone != BRITISH else [])


@pytest.mark.parametrize("limit", ["phone", "ip"])
async def test_a_fallback_counts_like_a_request_and_is_refused_like_one(database_url: str, limit: str) -> None:
    policy = SOON.replace(f'{limit} = ["1000/1h"]', f'{limit} = ["2/1h"]')
    async with run_gateway(database_url, policy=policy) as gateway:
        verification = await gateway.begin()
        assert (await use_fallback_when_offered(gateway, verification)).status == 202
        refused = await use_fallback_when_offered(gateway, verification)
        request = await gateway.request(PHONE if limit == "phone" else OTHER_PHONE)
        for reply in (refused, request):
            assert (reply.status, reply.body["type"].rsplit(":")[-1]) == (429, "limited")
            assert 3500 < int(reply.headers["retry-after"]) <= 3600
        assert refused.body | {"request": 0} == request.body | {"request": 0}
        await ended(gateway, verification, 2)
        assert offered(await gateway.read(verification)) is not None


async def test_a_send_lives_as_long_as_its_verification_and_five_seconds_more(database_url: str) -> None:
    policy = f'{SOON}[verification]\nexpires_after = "1m"'
    async with run_gateway(database_url, policy=policy) as gateway:
        verification = await gateway.begin()
        assert (await use_fallback_when_offered(gateway, verification)).status == 202
        await ended(gateway, verification, 2)
        sms, call = sorted(gateway.telnyx.verifications.list_by_phone(PHONE), key=lambda one: one.created_at)
        assert 60 < sms.timeout_secs <= 65
        assert 120 < call.timeout_secs <= 125  # a fallback leaves two minutes at least


async def test_what_has_ended_takes_no_fallback(database_url: str) -> None:
    async with run_gateway(database_url, policy=SOON) as gateway:
        verification = await gateway.begin()
        await gateway.cancel(verification)
        await asyncio.sleep(1.1)
        reply = await gateway.use_fallback(verification)
        assert (reply.status, reply.body["verification_status"]) == (409, "canceled")
