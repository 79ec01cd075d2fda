"""SIGKILL between the reservation of a guess and its end: no guess is bought back, no right code is lost."""

from __future__ import annotations

import asyncio

from service.sandbox.faults import Fault
from tests.support.gateway import OTHER_PHONE, run_gateway, run_process
from tests.support.guessing import (
    begin_and_read,
    pass_time_for_open_guesses,
    wait_for_guesses_at_telnyx,
    wait_for_status,
    wait_until_settled,
    wrong_codes,
)


async def test_what_was_being_compared_when_its_process_was_killed_is_settled_by_another(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, run_process(gateway) as doomed:
        guessed, code = await begin_and_read(gateway)
        decoy = await gateway.begin("+13125550144", deliver=False)
        right, right_code = await begin_and_read(gateway, OTHER_PHONE)
        gateway.stage.faults.add(Fault(kind="hang_after", operations=("check",)))
        calls = [doomed.calls.verify(guessed, wrong) for wrong in wrong_codes(code, 3)]
        calls += [doomed.calls.verify(decoy, wrong) for wrong in wrong_codes(code, 3)]
        calls.append(doomed.calls.verify(right, right_code, idem="once"))
        waiting = [asyncio.ensure_future(call) for call in calls]
        await wait_for_guesses_at_telnyx(gateway, 4)
        doomed.process.kill()
        await asyncio.gather(*waiting, return_exceptions=True)
        gateway.stage.faults.clear()

        for verification in (guessed, decoy):
            assert (await gateway.read(verification)).body["attempts_remaining"] == 2
        assert (await gateway.verify(right, right_code, idem="once")).status == 409

        await pass_time_for_open_guesses(gateway)
        await wait_for_status(gateway, right, "verified")
        assert (await gateway.verify(right, right_code, idem="once")).body["verified"] is True
        await wait_until_settled(gateway)
        for verification in (guessed, decoy):
            told = await gateway.verify(verification, wrong_codes(code, 4)[-1])
            assert (told.status, told.body["verified"], told.body["attempts_remaining"]) == (200, False, 1)
        assert (await gateway.verify(guessed, code)).body["verified"] is True
