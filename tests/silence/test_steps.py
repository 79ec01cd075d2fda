"""Wrong answers come on whole half seconds, the same one for every kind, whatever Telnyx and the sending take.

The bounds are coarse; benchmarks/silence.py has the statistics.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from service.sandbox.faults import Fault, FaultKind
from tests.support.decoys import ask_each, assert_alike, begin_each, thrice
from tests.support.gateway import POLICY, run_gateway
from tests.support.guessing import begin_and_read

WRONG = "12345"
SETTLED = 1.1
"""Seconds after which no send of a request or a fallback is waited for."""


@thrice
async def test_a_wrong_code_is_answered_on_the_next_half_second(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        begun = await begin_each(gateway)
        await asyncio.sleep(SETTLED)
        for latency, step in ((0.0, 1), (0.1, 1), (0.7, 2)):
            gateway.stage.latency = {"check": latency}
            answers = await ask_each(begun, lambda named: gateway.verify(named, WRONG))
            assert {reply.body["verified"] for reply, _ in answers.values()} == {False}
            assert_alike(answers, step)


async def test_a_right_code_is_answered_at_once(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        begun = [await begin_and_read(gateway, f"+1312555015{place}") for place in range(3)]
        await asyncio.sleep(SETTLED)
        seconds = []
        for verification, code in begun:
            began = time.monotonic()
            assert (await gateway.verify(verification, code)).body["verified"] is True
            seconds.append(time.monotonic() - began)
        assert min(seconds) < 0.5


@thrice
async def test_a_caller_quicker_than_the_sending_meets_the_same_half_second(database_url: str) -> None:
    """A refused number takes three sends where a real one takes one: neither the first nor the last shows."""
    async with run_gateway(database_url) as gateway:
        gateway.stage.latency = {"send": 0.5, "check": 0.1}
        begun = await begin_each(gateway)
        answers = await ask_each(begun, lambda named: gateway.verify(named, WRONG))
        assert_alike(answers)


@pytest.mark.parametrize("fault", ["error500", "throttle", "slow", "reset_after"])
@thrice
async def test_sends_that_fail_do_not_show_in_a_quick_callers_time(database_url: str, fault: FaultKind) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind=fault, operations=("send",), seconds=3.0))
        begun = await begin_each(gateway)
        for _ in range(2):
            answers = await ask_each(begun, lambda named: gateway.verify(named, WRONG))
            assert {reply.status for reply, _ in answers.values()} == {200}
            assert_alike(answers)


@thrice
async def test_a_fallback_is_waited_for_alike(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + '[fallback]\nafter = "1s"\n') as gateway:
        begun = await begin_each(gateway)
        await asyncio.sleep(SETTLED)
        gateway.stage.latency = {"send": 0.3, "check": 0.1}
        for reply, _ in (await ask_each(begun, gateway.use_fallback)).values():
            assert reply.status == 202
        answers = await ask_each(begun, lambda named: gateway.verify(named, WRONG))
        assert_alike(answers)


async def test_a_quick_callers_right_code_is_right_and_does_not_wait(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.latency = {"send": 0.3}
        verification, code = await begin_and_read(gateway)
        began = time.monotonic()
        assert (await gateway.verify(verification, code)).body["verified"] is True
        assert time.monotonic() - began < 1.0
