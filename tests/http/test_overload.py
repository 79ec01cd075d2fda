"""More is asked for than can be sent: bounded, fair, refused for everybody alike, and over by itself."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from service.sandbox.faults import Fault
from service.verification.slots import Slots
from tests.support.dispatching import acted_on, ended, numbers
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Gateway, Reply, read_code, run_gateway
from tests.support.waiting import until

SLOTS = 4
LATENCY = 0.1
OLDEST = "select clock_timestamp() - min(next_action_at) from verifications"
LONGER = timedelta(seconds=0.5)


class Watch:
    """The most sends that were at Telnyx at once. One is there from its call until its latency is over."""

    def __init__(self, gateway: Gateway) -> None:
        self.calls = gateway.stage.journal.list_calls("send")

    def most_at_once(self, latency: float) -> int:
        starts = [call.at for call in self.calls]
        return max(sum(0 <= start - other < latency for other in starts) for start in starts)


async def flood(gateway: Gateway, phones: list[str], seconds: float) -> dict[str, Reply]:
    """Request for each number, evenly over some seconds, whatever is answered."""
    begun = time.monotonic()

    async def request(place: int, phone: str) -> Reply:
        await asyncio.sleep(max(0.0, begun + place * seconds / len(phones) - time.monotonic()))
        return await gateway.request(phone)

    replies = await asyncio.gather(*(request(place, phone) for place, phone in enumerate(phones)))
    return dict(zip(phones, replies, strict=True))


async def test_a_flood_of_ten_times_what_can_be_sent_is_sent_in_order_and_within_bounds(database_url: str) -> None:
    async with run_gateway(database_url, MAX_SENDS=str(SLOTS)) as gateway:
        gateway.stage.latency["send"] = LATENCY
        replies = await flood(gateway, numbers(160), 2.0)
        assert {reply.status for reply in replies.values()} == {202}
        verifications = {phone: str(reply.body["id"]) for phone, reply in replies.items()}
        await until(lambda: len(gateway.stage.journal.list_calls("send")) == 160, "all were sent", 40)
        assert all(len(acted_on(gateway, phone)) == 1 for phone in verifications)
        assert Watch(gateway).most_at_once(LATENCY) <= SLOTS
        created = {phone: datetime.fromisoformat(reply.body["created_at"]) for phone, reply in replies.items()}
        order = [created[str(call.phone_number)] for call in gateway.stage.journal.list_calls("send")]
        jumped = [sum(other < one - LONGER for other in order[place:]) for place, one in enumerate(order)]
        assert not any(jumped), "the newest went before those that had waited longer"


async def test_the_gate_closes_for_everybody_when_the_oldest_has_waited_too_long_and_opens_again(
    database_url: str,
) -> None:
    policy = '[limits]\nip = ["1000/1h"]\nphone = ["1/10m"]'
    first, *others = numbers(3)
    async with run_gateway(database_url, policy=policy, MAX_SENDS="1", MAX_BACKLOG="2") as gateway:
        gateway.stage.faults.add(Fault(kind="slow", operations=("send",), times=2, seconds=3.0))
        waiting = {phone: await gateway.begin(phone) for phone in (first, *others)}

        async def refused() -> bool:
            status = (await gateway.request(first)).status
            assert status in (429, 503)  # its own limit is spent
            return status == 503

        await until(refused, "requests were refused")
        oldest = await gateway.database.pool.fetchval(OLDEST)
        assert oldest.total_seconds() > 2
        counted = await gateway.database.pool.fetch("select * from counters order by subject")
        for phone, deliver in ((PHONE, True), (PHONE, False), ("+447700900123", True)):
            reply = await gateway.request(phone, deliver=deliver)
            assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        assert await gateway.database.pool.fetch("select * from counters order by subject") == counted
        for phone, verification in waiting.items():
            assert [send["state"] for send in await ended(gateway, verification)] == ["sent"]
            assert len(acted_on(gateway, phone)) == 1

        async def taken() -> bool:
            return (await gateway.request(OTHER_PHONE)).status == 202

        await until(taken, "requests were taken again")


async def test_what_could_not_be_sent_in_time_is_given_up_and_nothing_is_left_waiting(database_url: str) -> None:
    policy = f'{POLICY}[verification]\ndispatch_deadline = "3s"'
    async with run_gateway(database_url, policy=policy, MAX_SENDS="2") as gateway:
        gateway.stage.latency["send"] = 0.4
        replies = await flood(gateway, numbers(60), 1.0)

        async def done() -> bool:
            return not await gateway.database.pool.fetchval(
                "select count(*) from sends where state in ('due', 'begun')"
            )

        await until(done, "every send had ended", 20)
        sends: list[Any] = await gateway.database.pool.fetch("select * from sends")
        assert len(sends) == len(replies) == 60
        assert {send["state"] for send in sends} == {"sent", "abandoned"}
        late = [(send["begun_at"] - send["wanted_at"]).total_seconds() for send in sends if send["state"] == "sent"]
        assert max(late) <= 3.5  # the deadline is looked at just before the send is begun
        sent = [send["provider_id"] for send in sends if send["state"] == "sent"]
        assert sorted(sent) == sorted(str(call.verification_id) for call in gateway.stage.journal.list_calls("send"))


async def test_sends_that_hang_leave_connections_for_checks(database_url: str) -> None:
    async with run_gateway(database_url, MAX_SENDS=str(SLOTS)) as gateway:
        verification = await gateway.begin()
        code = await read_code(gateway)
        gateway.stage.faults.add(Fault(kind="slow", operations=("send",), seconds=3.0))
        await asyncio.gather(*(gateway.begin(phone) for phone in numbers(SLOTS)))
        await until(lambda: len(gateway.stage.journal.list_calls("send")) == 1 + SLOTS, "every slot was taken")
        assert (await gateway.verify(verification, code)).body["verified"] is True


@pytest.mark.parametrize("ending", ["return", "raise", "cancel"])
async def test_a_slot_comes_back_however_its_work_ends(ending: str) -> None:
    async def work() -> None:
        if ending == "raise":
            raise RuntimeError
        if ending == "cancel":
            raise asyncio.CancelledError

    slots = Slots(1)
    assert slots.take()
    slots.run(work())
    assert not slots.take()
    await slots.drain(1)
    assert (slots.free, slots.wanted.is_set()) == (1, True)
