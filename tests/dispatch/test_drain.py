"""SIGTERM: what is under way is finished and recorded, what was promised is left to others, and the exit is clean."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.support.dispatching import calls_to, end_lease, ended, numbers, row, run_beside, sends
from tests.support.gateway import Process, read_code, run_gateway, run_process
from tests.support.tcp_proxy import lay_cable
from tests.support.waiting import until

LATENCY = 2.0
MOST = 30.0


async def end(process: Process) -> int:
    """Ask a process to end, and return its exit status."""
    process.process.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(process.process.wait(), MOST)


async def test_sends_under_way_are_finished_and_recorded_before_the_process_ends(database_url: str) -> None:
    phones = numbers(20)
    async with run_gateway(database_url, serve=False) as gateway, run_process(gateway) as process:
        gateway.stage.latency["send"] = LATENCY
        verifications = await asyncio.gather(*(process.calls.begin(phone) for phone in phones))
        await until(lambda: all(calls_to(gateway, phone) for phone in phones), "every send was under way")
        asked = time.monotonic()
        assert await end(process) == 0
        assert time.monotonic() - asked < MOST / 2
        for verification, phone in zip(verifications, phones, strict=True):
            [send] = await sends(gateway, verification)
            [call] = calls_to(gateway, phone)
            assert (send["state"], send["provider_id"]) == ("sent", call.verification_id)


async def test_a_dispatcher_alone_ends_at_once_and_cleanly(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway, run_process(gateway, command="dispatch") as process:
        asked = time.monotonic()
        assert await end(process) == 0
        assert time.monotonic() - asked < MOST / 2
        assert "Traceback" not in process.log.read_text()


async def test_what_a_process_promised_and_did_not_begin_is_done_by_the_one_after_it(database_url: str) -> None:
    async with (
        run_gateway(database_url, serve=False, MAX_SENDS="100") as gateway,
        run_process(gateway) as process,
    ):
        gateway.stage.latency["send"] = LATENCY
        phones = numbers(130)  # more than it makes at once
        verifications = await asyncio.gather(*(process.calls.begin(phone) for phone in phones))
        assert await end(process) == 0
        states = [send["state"] for verification in verifications for send in await sends(gateway, verification)]
        assert len(states) == len(phones)
        assert "due" in states
        gateway.stage.latency.clear()
        async with run_process(gateway, command="dispatch"):
            for verification, phone in zip(verifications, phones, strict=True):
                [send] = await ended(gateway, verification, patience=25)
                assert (send["state"], len(calls_to(gateway, phone))) == ("sent", 1)


async def test_what_was_being_claimed_when_a_process_is_asked_to_end_waits_for_no_lease(database_url: str) -> None:
    async with lay_cable(database_url) as (cable, near), run_gateway(database_url, serve=False) as gateway:
        gateway.environment["DATABASE_URL"] = near
        async with run_beside(gateway) as calls:
            verification = await calls.begin()
            await ended(gateway, verification)
            cable.lag = 0.3  # its claim is done long before it hears of that
            await end_lease(gateway, verification)

            async def leased() -> bool:
                return (await row(gateway, verification))["lease_token"] is not None

            await until(leased, "it is claimed")
        assert not await leased()


async def test_a_code_entered_just_before_a_process_ends_counts_as_converted(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        async with run_beside(gateway) as calls:
            verification = await calls.begin()
            await ended(gateway, verification)
            assert (await calls.verify(verification, await read_code(gateway))).body["verified"] is True
        [send] = await sends(gateway, verification)
        assert send["credited"] is True
