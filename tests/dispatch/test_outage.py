"""Telnyx or the database is down: what is refused, what waits, and that it ends without a restart."""

from __future__ import annotations

import asyncio

import pytest

from service.db.engine import Database
from service.sandbox.faults import Fault, FaultKind
from tests.support.dispatching import acted_on, calls_to, ended, numbers, sends
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, run_gateway
from tests.support.tcp_proxy import lay_cable
from tests.support.waiting import until

OURS: list[FaultKind] = ["unauthorized", "no_funds", "spend_limit"]


async def open_breaker(gateway: Gateway, kind: FaultKind) -> str:
    """Have a send refused for a reason that is ours; return its verification."""
    gateway.stage.faults.add(Fault(kind=kind, operations=("send",)))
    verification = await gateway.begin()

    async def refused() -> bool:
        [send] = await sends(gateway, verification)
        return bool(send["attempts"])

    await until(refused, "Telnyx refused us")
    return verification


@pytest.mark.parametrize("kind", OURS)
async def test_what_is_our_own_fault_stops_everybody_before_anything_is_counted(
    database_url: str, kind: FaultKind
) -> None:
    async with run_gateway(database_url) as gateway:
        verification = await open_breaker(gateway, kind)
        counted = await gateway.database.pool.fetch("select * from counters order by subject")
        for deliver in (True, False):
            reply = await gateway.request(OTHER_PHONE, deliver=deliver)
            assert (reply.status, int(reply.headers["retry-after"]) > 0) == (503, True)
        assert (await gateway.use_fallback(verification)).status == 503
        assert await gateway.database.pool.fetch("select * from counters order by subject") == counted
        assert [call.channel for call in calls_to(gateway, PHONE)] == ["sms"]
        assert [send["state"] for send in await sends(gateway, verification)] == ["due"]


async def test_when_the_fault_is_lifted_all_goes_on_without_a_restart(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        waiting = await open_breaker(gateway, "no_funds")
        gateway.stage.faults.clear()

        async def taken() -> bool:
            return (await gateway.request(OTHER_PHONE)).status == 202

        await until(taken, "requests were taken again", 30)
        [send] = await ended(gateway, waiting)
        assert (send["state"], len(acted_on(gateway, PHONE))) == ("sent", 1)
        await until(lambda: len(acted_on(gateway, OTHER_PHONE)) == 1, "the other number was sent to")


async def test_no_send_goes_out_before_the_reset_that_a_429_named(database_url: str) -> None:
    reset = 3.0
    phones = numbers(8)
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="throttle", operations=("send",), times=1, seconds=reset))
        verifications = [await gateway.begin()]
        await until(lambda: [call.status for call in calls_to(gateway, PHONE)] == [429], "Telnyx named a reset")
        await asyncio.sleep(0.1)  # for the answer to arrive
        verifications += [await gateway.begin(phone) for phone in phones]
        for verification in verifications:
            [send] = await ended(gateway, verification)
            assert send["state"] == "sent"
        refused, *others = gateway.stage.journal.list_calls("send")
        assert min(call.at for call in others) >= refused.at + reset
        assert sorted(str(call.phone_number) for call in others) == sorted([PHONE, *phones])


async def test_while_telnyx_has_us_wait_for_long_requests_get_503(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="throttle", operations=("send",), times=1, seconds=30))
        await gateway.begin()

        async def refused() -> bool:
            reply = await gateway.request()  # one more of the number's three, then none
            return reply.status == 503 and 20 < int(reply.headers["retry-after"]) <= 30

        await until(refused, "requests were refused for as long as Telnyx said")


@pytest.mark.parametrize("away", [3.0, 0.0])
async def test_a_database_lost_between_a_send_and_its_record_costs_no_second_send(
    database_url: str, database: Database, away: float
) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near) as gateway:
        gateway.database = database  # the test looks on without the cable
        gateway.stage.latency["send"] = 0.5
        phones = numbers(12)
        verifications = [await gateway.begin(phone) for phone in phones]
        await cable.pull()
        await asyncio.sleep(away)
        cable.plug()
        for verification, phone in zip(verifications, phones, strict=True):
            [send] = await ended(gateway, verification, patience=40)
            [call] = calls_to(gateway, phone)
            assert (send["state"], send["provider_id"]) == ("sent", call.verification_id)


async def test_requests_get_503_while_the_database_is_away_and_are_taken_when_it_is_back(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(near) as gateway:
        await ended(gateway, await gateway.begin())
        await cable.pull()
        reply = await gateway.request(OTHER_PHONE)
        assert (reply.status, int(reply.headers["retry-after"]) > 0) == (503, True)
        cable.plug()

        async def sent() -> bool:
            await gateway.request(OTHER_PHONE)
            return bool(acted_on(gateway, OTHER_PHONE))

        await until(sent, "a request was taken and sent")
