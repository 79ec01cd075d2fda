"""The main job, end to end: request, code, verified."""

from __future__ import annotations

from tests.support.gateway import PHONE, read_code, run_gateway, run_process, wrong


async def test_a_number_is_requested_sent_to_and_verified(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification = await gateway.begin()
        code = await read_code(gateway)
        missed = await gateway.verify(verification, wrong(code))
        assert (missed.status, missed.body["verified"], missed.body["attempts_remaining"]) == (200, False, 4)
        hit = await gateway.verify(verification, code)
        assert (hit.status, hit.body["verified"], hit.body["status"]) == (200, True, "verified")
        assert (await gateway.read(verification)).body["verified_at"] is not None


async def test_a_process_started_by_the_command_line_does_the_same(database_url: str) -> None:
    async with run_gateway(database_url, serve=False) as gateway, run_process(gateway) as process:
        verification = await process.calls.begin(PHONE)
        hit = await process.calls.verify(verification, await read_code(gateway))
        assert hit.body["verified"] is True
