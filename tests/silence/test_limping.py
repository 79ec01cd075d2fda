"""When Telnyx fails for ids that it knows, or for half of all checks, decoys fail like real verifications."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.sandbox.faults import Fault
from tests.support.decoys import KINDS, ask_each, assert_alike, begin_each, thrice
from tests.support.dispatching import ended, run_beside
from tests.support.gateway import POLICY, Calls, Gateway, run_gateway
from tests.support.guessing import begin_and_read

WRONG = "12345"
SETTLED = 1.1
"""Seconds after which no send of a request is waited for."""


@asynccontextmanager
async def run_started_anew(database_url: str) -> AsyncIterator[tuple[Gateway, Calls]]:
    """Run a gateway that a person has used, and beside it one that has just started and made no check yet."""
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        assert (await gateway.verify(verification, code)).body["verified"] is True
        await gateway.database.pool.execute("delete from counters")
        async with run_beside(gateway) as fresh:
            yield gateway, fresh


async def begin_settled(gateway: Gateway) -> dict[str, str]:
    begun = await begin_each(gateway)
    await ended(gateway, begun["real"])
    await asyncio.sleep(SETTLED)
    return begun


@thrice
async def test_where_ids_that_telnyx_knows_are_slow_a_process_just_started_is_as_slow_with_decoys(
    database_url: str,
) -> None:
    async with run_started_anew(database_url) as (gateway, fresh):
        begun = await begin_settled(gateway)
        gateway.stage.faults.add(Fault(kind="slow", operations=("check",), ids="known", seconds=0.7))
        decoys = {kind: named for kind, named in begun.items() if kind != "real"}
        answers = await ask_each(decoys, lambda named: fresh.verify(named, WRONG))
        answers |= await ask_each({"real": begun["real"]}, lambda named: fresh.verify(named, WRONG))
        assert_alike(answers, 2)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "real"])
async def test_where_ids_that_telnyx_knows_fail_the_first_code_of_a_decoy_is_not_compared_either(
    database_url: str, kind: str
) -> None:
    async with run_started_anew(database_url) as (gateway, fresh):
        begun = await begin_settled(gateway)
        fault = gateway.stage.faults.add(Fault(kind="error500", operations=("check",), ids="known"))
        for named in (begun[kind], begun["real"]):
            reply = await fresh.verify(named, WRONG)
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        gateway.stage.faults.clear(fault)
        for named in (begun[kind], begun["real"]):
            assert (await fresh.verify(named, WRONG)).status == 200


async def test_where_half_of_all_checks_fail_codes_given_at_once_end_differently_for_decoys_too(
    database_url: str,
) -> None:
    async with run_started_anew(database_url) as (gateway, fresh):
        decoys = [await gateway.begin(f"+1312555016{place}", deliver=False) for place in range(8)]
        await asyncio.sleep(SETTLED)
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), share=0.5))
        seen = []
        for decoy in decoys:
            replies = await asyncio.gather(*(fresh.verify(decoy, WRONG) for _ in range(4)))
            seen.append(Counter(reply.status for reply in replies))
        mixed = [statuses for statuses in seen if len(statuses) > 1]
        assert len(mixed) >= 3, seen  # 7 of 8 are, as of real ones; fewer than 3 once in a hundred thousand
        assert 6 <= sum(seen, Counter())[503] <= 26, seen


async def test_as_many_are_asked_as_the_caller_used_channels_whatever_became_of_each(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + '[fallback]\nafter = "1s"\n') as gateway:
        gateway.stage.faults.add(Fault(kind="refuse", operations=("send",), channel="call"))
        begun = await begin_settled(gateway)
        for reply, _ in (await ask_each(begun, gateway.use_fallback)).values():
            assert reply.status == 202
        await asyncio.sleep(SETTLED)
        for kind, named in begun.items():
            gateway.stage.journal.clear()
            assert (await gateway.verify(named, WRONG)).status == 200
            assert gateway.stage.journal.count()["check"] == 2, kind


async def test_a_persons_pending_verification_is_asked_about_nothing_for_a_decoys_sake(database_url: str) -> None:
    async with run_started_anew(database_url) as (gateway, fresh):
        begun = await begin_settled(gateway)
        gateway.stage.journal.clear()
        for kind in ("deliver: false", "refused by Telnyx", "premium number"):
            assert (await fresh.verify(begun[kind], WRONG)).status == 200
        asked = {str(call.verification_id) for call in gateway.stage.journal.list_calls("check")}
        [over] = {found.id for found in gateway.telnyx.verifications.list_newest(100) if found.status() == "accepted"}
        assert asked == {over}


async def test_where_no_verification_has_ended_yet_decoys_copy_what_real_checks_met(database_url: str) -> None:
    """On its first day a gateway has nothing of its own to ask about: then it remembers."""
    async with run_gateway(database_url) as gateway:
        begun = await begin_settled(gateway)
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), ids="known"))
        for _ in range(2):
            assert (await gateway.verify(begun["real"], WRONG)).status == 503
        for kind in ("deliver: false", "country off the list"):
            assert (await gateway.verify(begun[kind], WRONG)).status == 503


@thrice
async def test_where_no_verification_has_ended_yet_decoys_are_as_slow_as_real_checks_were(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        begun = await begin_settled(gateway)
        gateway.stage.faults.add(Fault(kind="slow", operations=("check",), ids="known", seconds=0.7))
        real = {"real": begun.pop("real")}
        await ask_each(real, lambda named: gateway.verify(named, WRONG))
        answers = await ask_each(real, lambda named: gateway.verify(named, WRONG))
        answers |= await ask_each(begun, lambda named: gateway.verify(named, WRONG))
        assert_alike(answers, 2)
