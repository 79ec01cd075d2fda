"""A guess that Telnyx certainly did not compare is given back, to the verification and to every budget, exactly."""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from service.sandbox.faults import Fault, FaultKind
from tests.support.gateway import run_gateway, wrong
from tests.support.guessing import (
    begin_and_read,
    count_guesses_at_telnyx,
    count_statuses,
    guess_all,
    read_budgets,
    wrong_codes,
)

NOT_COMPARED: list[FaultKind] = ["error500", "throttle", "unauthorized", "forbidden", "no_funds", "spend_limit"]
COMPARED: list[FaultKind] = ["refuse", "not_found"]


async def test_what_was_not_compared_is_503_and_given_back_exactly(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        await gateway.verify(verification, wrong(code))
        before = await read_budgets(gateway)
        for kind in NOT_COMPARED:
            fault = gateway.stage.faults.add(Fault(kind=kind, operations=("check",)))
            reply = await gateway.verify(verification, code, idem=kind)
            gateway.stage.faults.clear(fault)
            assert reply.status == 503, kind
            assert int(reply.headers["retry-after"]) >= 1
            assert await read_budgets(gateway) == before
            assert (await gateway.read(verification)).body["attempts_remaining"] == 4
            assert await gateway.database.pool.fetchval("select count(*) from guesses") == 1
        assert (await gateway.verify(verification, code)).body["verified"] is True


@pytest.mark.parametrize("kind", COMPARED)
async def test_an_error_about_the_code_or_the_verification_counts_as_a_wrong_code(
    database_url: str, kind: FaultKind
) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind=kind, operations=("check",)))
        reply = await gateway.verify(verification, code)
        assert (reply.status, reply.body["verified"], reply.body["attempts_remaining"]) == (200, False, 4)


async def test_without_a_connection_every_guess_is_given_back(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        before = await read_budgets(gateway)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            nobody = f"http://127.0.0.1:{listener.getsockname()[1]}/v2"
        async with run_gateway(database_url, TELNYX_BASE_URL=nobody) as cut_off:
            statuses = count_statuses(await guess_all([cut_off], verification, [*wrong_codes(code, 20), code]))
        assert set(statuses) <= {503, 429}
        assert statuses[503] >= 5
        assert await read_budgets(gateway) == before
        assert (await gateway.verify(verification, code)).body["verified"] is True


async def test_in_a_storm_where_some_are_compared_and_some_are_not_every_compared_one_counts_once(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.faults.add(Fault(kind="error500", operations=("check",), times=30))
        gateway.stage.latency = {"check": 0.02}
        compared, statuses = 0, Counter[int]()
        while statuses[409] < 10:
            statuses = count_statuses(await guess_all([gateway], verification, wrong_codes(code, 10)))
            compared += statuses[200]
        assert compared == 5
        assert count_guesses_at_telnyx(gateway) == 30 + 5
        counted = await read_budgets(gateway)
        [budgets] = await gateway.database.pool.fetch("select source_budget, total_budget from verifications")
        assert [len(row["hits"]) for row in counted if row["subject"] in tuple(budgets)] == [5, 5]
        assert (await gateway.read(verification)).body["status"] == "locked"
