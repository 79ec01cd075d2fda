"""A guess whose answer is lost is never given back, and a right one is verified all the same."""

from __future__ import annotations

import asyncio

import pytest

from service.sandbox.faults import Fault, FaultKind
from tests.support.gateway import OTHER_PHONE, POLICY, run_gateway, wrong
from tests.support.guessing import (
    begin_and_read,
    count_guesses_at_telnyx,
    count_statuses,
    count_turned_away,
    guess_all,
    wait_for_status,
    wait_until_settled,
    wrong_codes,
)
from tests.support.waiting import until

LOST: list[FaultKind] = ["reset_after", "reset_before", "garbage", "gateway_timeout"]


@pytest.mark.parametrize("kind", [*LOST, "hang_after"])
async def test_of_100_guesses_whose_answers_are_lost_five_reach_telnyx(database_url: str, kind: FaultKind) -> None:
    """CVE-2026-35597: what was counted stays counted, however the request ends."""
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind=kind, operations=("check",)))
        statuses = count_statuses(await guess_all([gateway], verification, wrong_codes(code, 100)))
        assert count_guesses_at_telnyx(gateway) == 5
        # Telnyx held the verification's state against five of them.
        assert (statuses[200], count_turned_away(statuses)) == (5, 95)
        gateway.stage.faults.clear()
        assert (await gateway.verify(verification, code)).body["verification_status"] == "locked"


async def test_while_telnyx_cannot_tell_their_state_all_guesses_wait_and_none_is_given_back(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",)))
        gateway.stage.faults.add(Fault(kind="error500", operations=("state",)))
        for _ in range(2):
            statuses = count_statuses(await guess_all([gateway], verification, wrong_codes(code, 50)))
            assert statuses[200] == 0
            assert count_guesses_at_telnyx(gateway) == 5
        refused = await gateway.verify(verification, code)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert (await gateway.read(verification)).body["status"] == "pending"
        gateway.stage.faults.clear()
        assert (await wait_for_status(gateway, verification, "locked"))["attempts_remaining"] == 0


@pytest.mark.parametrize("kind", ["reset_after", "garbage", "gateway_timeout"])
async def test_a_right_code_whose_answer_is_lost_is_answered_right_at_once(database_url: str, kind: FaultKind) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind=kind, operations=("check",)))
        reply = await gateway.verify(verification, code)
        assert (reply.status, reply.body["verified"], reply.body["status"]) == (200, True, "verified")


async def test_a_right_code_whose_state_could_not_be_read_is_verified_later(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",)))
        gateway.stage.faults.add(Fault(kind="error500", operations=("state",)))
        lost = await gateway.verify(verification, code, idem="once")
        assert (lost.status, lost.headers["retry-after"]) == (503, "1")
        assert (await gateway.read(verification)).body["attempts_remaining"] == 4
        assert (await gateway.verify(verification, code, idem="once")).status == 409
        gateway.stage.faults.clear()
        assert (await wait_for_status(gateway, verification, "verified"))["verified_at"]
        told = await gateway.verify(verification, code, idem="once")
        assert (told.status, told.body["verified"], told.body["status"]) == (200, True, "verified")


async def test_a_right_code_is_verified_even_if_its_state_was_read_only_after_the_expiry(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + '[verification]\nexpires_after = "2s"') as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",)))
        gateway.stage.faults.add(Fault(kind="error500", operations=("state",)))
        assert (await gateway.verify(verification, code)).status == 503
        stored = "select status from verifications"

        async def is_over() -> bool:
            return bool(await gateway.database.pool.fetchval(stored) == "expired")

        await until(is_over, "the database says so")
        assert (await gateway.read(verification)).body["status"] == "expired"
        gateway.stage.faults.clear()
        await wait_for_status(gateway, verification, "verified")


async def test_a_code_that_turns_out_right_after_the_caller_canceled_verifies_nothing(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",)))
        gateway.stage.faults.add(Fault(kind="error500", operations=("state",)))
        assert (await gateway.verify(verification, code, idem="once")).status == 503
        assert (await gateway.cancel(verification)).status == 200
        gateway.stage.faults.clear()
        await wait_until_settled(gateway)
        assert (await gateway.read(verification)).body["status"] == "canceled"
        told = await gateway.verify(verification, code, idem="once")
        assert (told.status, told.body["verified"], told.body["status"]) == (200, False, "canceled")


async def test_a_guess_whose_state_cannot_be_read_holds_up_no_other(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        silent, wrong_code = await begin_and_read(gateway, OTHER_PHONE)
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",)))
        gateway.stage.faults.add(Fault(kind="hang_before", operations=("state",), phone_number=OTHER_PHONE))
        state = gateway.stage.faults.add(Fault(kind="error500", operations=("state",)))
        lost = asyncio.ensure_future(guess_all([gateway], silent, wrong_codes(wrong_code, 5)))
        assert (await gateway.verify(verification, code)).status == 503
        await lost
        gateway.stage.faults.clear(state)
        await wait_for_status(gateway, verification, "verified", patience=12)


async def test_a_wrong_code_whose_answer_is_lost_is_wrong(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",), times=1))
        reply = await gateway.verify(verification, wrong(code))
        assert (reply.status, reply.body["verified"], reply.body["attempts_remaining"]) == (200, False, 4)
        assert (await gateway.verify(verification, code)).body["verified"] is True


async def test_a_wrong_code_whose_answer_is_lost_is_not_taken_for_the_right_one_that_came_after(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",), times=1))
        gateway.stage.faults.add(Fault(kind="error500", operations=("state",)))
        assert (await gateway.verify(verification, wrong(code), idem="wrong")).status == 503
        assert (await gateway.verify(verification, code)).body["verified"] is True
        gateway.stage.faults.clear()
        await wait_until_settled(gateway)
        told = await gateway.verify(verification, wrong(code), idem="wrong")
        assert (told.status, told.body["verified"], told.body["status"]) == (200, False, "verified")
