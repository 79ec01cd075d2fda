"""One number, several requests at once: their sends go one after the other, and each goes."""

from __future__ import annotations

import asyncio

from service.sandbox.faults import Fault
from tests.support.dispatching import acted_on, calls_to, ended, numbers, run_beside
from tests.support.gateway import PHONE, Calls, run_gateway
from tests.support.waiting import until

LATENCY = 0.4


async def test_two_clients_at_two_processes_never_have_two_sends_to_a_number_under_way(database_url: str) -> None:
    phones = numbers(10)
    async with run_gateway(database_url) as gateway, run_beside(gateway) as beside:
        gateway.stage.latency["send"] = LATENCY
        other = await gateway.client("other")
        doors = (gateway, Calls(beside.url, other.key, gateway.session))
        begun = await asyncio.gather(*(door.begin(phone) for phone in phones for door in doors))
        for place, phone in enumerate(phones):
            held = [(await ended(gateway, verification))[0] for verification in begun[2 * place : 2 * place + 2]]
            first, second = acted_on(gateway, phone)
            assert second.at - first.at >= LATENCY
            assert {send["provider_id"] for send in held} == {first.verification_id, second.verification_id}
            for door, verification, send in zip(doors, begun[2 * place : 2 * place + 2], held, strict=True):
                code = gateway.telnyx.find_code(send["provider_id"])
                assert (await door.verify(verification, code)).body["verified"] is True


async def test_a_number_whose_send_backs_off_is_free_for_the_next_request(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",), times=2))
        first = await gateway.begin()
        await until(lambda: bool(calls_to(gateway, PHONE)), "the first was tried")
        second = await gateway.begin()
        for verification in (first, second):
            [send] = await ended(gateway, verification)
            assert send["state"] == "sent"
        assert len(acted_on(gateway, PHONE)) == 2


async def test_a_decoy_takes_its_turn_like_any_other(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.latency["send"] = LATENCY
        decoy, real = await asyncio.gather(gateway.begin(deliver=False), gateway.begin())
        [silent], [sent] = await ended(gateway, decoy), await ended(gateway, real)
        (_, first_ended), (second_begun, _) = sorted((send["begun_at"], send["ended_at"]) for send in (silent, sent))
        assert second_begun >= first_ended
        assert (silent["provider"], sent["provider"], len(calls_to(gateway, PHONE))) == ("silent", "telnyx", 1)
