"""Guesses at several verifications of one number at once share its budgets, to the last one."""

from __future__ import annotations

import asyncio

from service.sandbox.faults import Fault
from tests.support.gateway import run_gateway
from tests.support.guessing import (
    begin_and_read,
    count_guesses_at_telnyx,
    count_statuses,
    count_turned_away,
    guess_all,
    wait_for_guesses_at_telnyx,
    wrong_codes,
)

POLICY = """
[limits]
phone = ["100/1h"]
ip = ["1000/1h"]
[lockout]
codes_per_phone = "7/1h"
"""


async def test_of_200_guesses_at_four_verifications_of_one_number_its_budget_reaches_telnyx(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        begun = [await begin_and_read(gateway) for _ in range(4)]
        volleys = await asyncio.gather(*(guess_all([gateway], one, wrong_codes(code, 50)) for one, code in begun))
        assert count_guesses_at_telnyx(gateway) == 7
        replies = [reply for volley in volleys for reply in volley]
        statuses = count_statuses(replies)
        assert (statuses[200], count_turned_away(statuses)) == (7, 193)
        for verification, code in begun:
            assert (await gateway.read(verification)).body["status"] == "locked"
            assert (await gateway.verify(verification, code)).status == 409


async def test_guesses_in_flight_elsewhere_lock_nothing_until_they_are_compared(database_url: str) -> None:
    """The guesses in flight at one verification may be given back: until then the others wait, and are not closed."""
    async with run_gateway(database_url, policy=POLICY) as gateway:
        (busy, _), (other, _), (patient, code) = [await begin_and_read(gateway) for _ in range(3)]
        await asyncio.sleep(1.1)
        gateway.stage.latency = {"check": 3.0}
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), times=5))
        flying = asyncio.ensure_future(guess_all([gateway], busy, wrong_codes(code, 5)))
        await wait_for_guesses_at_telnyx(gateway, 5)
        gateway.stage.latency = {}
        wrong_code = wrong_codes(code, 1)[0]
        told = await asyncio.gather(*(gateway.verify(named, wrong_code) for named in (other, patient)))
        assert [(reply.body["status"], reply.body["attempts_remaining"]) for reply in told] == [("pending", 0)] * 2
        waits = await gateway.verify(patient, code)
        assert (waits.status, waits.headers["retry-after"]) == (429, "1")
        assert (await gateway.read(patient)).body["status"] == "pending"
        assert count_statuses(await flying) == {503: 5}
        assert (await gateway.read(patient)).body["attempts_remaining"] == 4
        assert (await gateway.verify(patient, code)).body["verified"] is True
