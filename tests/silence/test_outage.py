"""When Telnyx fails, it fails for decoys too: at once, in the same way, and until the same moment."""

from __future__ import annotations

import asyncio

import pytest

from service.providers.verify.decoy import DecoyProvider
from service.providers.verify.protocol import CodeCompared, NotCompared
from service.providers.verify.test_numbers import FIXED_CODE
from service.providers.verify.timings import WRONG, Timings
from service.sandbox.faults import Fault, FaultKind
from tests.support.decoys import ask_each, assert_alike, begin_each, thrice
from tests.support.gateway import Calls, Gateway, Reply, run_gateway
from tests.support.guessing import begin_and_read, wait_until_settled
from tests.support.waiting import until

CODE = "12345"
NOBODY = "12ade33a-21c0-473b-b055-b3c836e1c292"


def looks(answers: dict[str, tuple[Reply, float]]) -> set[tuple[int, str | None, int | None]]:
    """What a caller sees of each answer: its status, its Retry-After and the attempts that remain."""
    return {
        (reply.status, reply.headers.get("retry-after"), reply.body.get("attempts_remaining"))
        for reply, _ in answers.values()
    }


async def verify_each(calls: Calls, begun: dict[str, str]) -> dict[str, tuple[Reply, float]]:
    return await ask_each(begun, lambda named: calls.verify(named, CODE))


async def attempts_of_each(gateway: Gateway, begun: dict[str, str]) -> set[int]:
    return {(await gateway.read(named)).body["attempts_remaining"] for named in begun.values()}


@pytest.mark.parametrize("kind", ["error500", "throttle", "no_funds"])
@thrice
async def test_what_telnyx_does_not_judge_is_given_back_to_decoys_too_from_the_first_guess_to_the_last(
    database_url: str, kind: FaultKind
) -> None:
    async with run_gateway(database_url) as gateway:
        begun = await begin_each(gateway)
        assert looks(await verify_each(gateway, begun)) == {(200, None, 4)}
        fault = gateway.stage.faults.add(Fault(kind=kind, operations=("check",), seconds=7.0))
        for _ in range(2):
            answers = await verify_each(gateway, begun)
            assert looks(answers) == {(503, "1", None)}
            assert_alike(answers)
            assert await attempts_of_each(gateway, begun) == {4}
        gateway.stage.faults.clear(fault)
        assert looks(await verify_each(gateway, begun)) == {(200, None, 3)}


async def test_an_answer_that_is_lost_is_lost_for_decoys_too_and_settled_for_all(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        begun = await begin_each(gateway)
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("check",)))
        state = gateway.stage.faults.add(Fault(kind="error500", operations=("state",)))
        assert looks(await verify_each(gateway, begun)) == {(503, "1", None)}
        assert await attempts_of_each(gateway, begun) == {4}
        gateway.stage.faults.clear(state)
        await wait_until_settled(gateway)
        assert await attempts_of_each(gateway, begun) == {4}
        assert looks(await verify_each(gateway, begun)) == {(200, None, 3)}


@thrice
async def test_a_telnyx_that_hangs_hangs_for_decoys(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        begun = await begin_each(gateway)
        gateway.stage.faults.add(Fault(kind="hang_before", operations=("check", "state")))
        answers = await verify_each(gateway, begun)
        assert looks(answers) == {(503, "1", None)}
        assert min(seconds for _, seconds in answers.values()) >= 10.0
        assert_alike(answers)


async def test_with_the_breaker_open_everybody_is_503_before_a_guess_is_reserved(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        begun = await begin_each(gateway)
        gateway.stage.faults.add(Fault(kind="no_funds", operations=("send", "state")))
        await gateway.request("+13125550199")

        async def is_open() -> bool:
            return (await gateway.request("+13125550198")).status == 503

        await until(is_open, "the breaker opens")
        answers = await verify_each(gateway, {**begun, "unknown": NOBODY})
        assert {reply.status for reply, _ in answers.values()} == {503}
        assert await attempts_of_each(gateway, begun) == {5}
        assert await gateway.database.pool.fetchval("select count(*) from guesses") == 0


async def test_decoys_fail_in_the_proportion_in_which_real_checks_do() -> None:
    timings = Timings()
    for number in range(40):
        timings.record("check", 0.0, NotCompared("http_500") if number % 4 == 0 else CodeCompared(accepted=False))
    silent = DecoyProvider(timings)
    answers = await asyncio.gather(*(silent.check(NOBODY, CODE) for _ in range(400)))
    assert set(answers) == {WRONG, NotCompared("http_500")}
    assert 50 < answers.count(NotCompared("http_500")) < 150


async def test_one_failed_call_is_not_repeated_to_decoys(database_url: str) -> None:
    """A caller who tries again a moment later finds Telnyx well, for a real one and for a decoy."""
    async with run_gateway(database_url) as gateway:
        real, code = await begin_and_read(gateway)
        decoy = await gateway.begin("+13125550145", deliver=False)
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), times=1))
        assert (await gateway.verify(real, code[::-1] + "0")).status == 503
        assert (await gateway.verify(decoy, CODE)).status == 200


@thrice
async def test_a_test_clients_decoys_work_where_there_is_no_telnyx_and_never_call_it(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="unauthorized"))
        team = await gateway.client("team", test=True)
        real = await team.begin("+14155550100")
        decoy = await team.begin("+14155550101", deliver=False)
        abroad = await team.begin("+447400123456")
        answers = await verify_each(team, {"real": real, "decoy": decoy, "abroad": abroad})
        assert looks(answers) == {(200, None, 4)}
        assert_alike(answers)
        assert (await team.verify(real, FIXED_CODE)).body["verified"] is True
        for silent in (decoy, abroad):
            assert (await team.verify(silent, FIXED_CODE)).body["verified"] is False
        assert gateway.stage.journal.count() == {}
