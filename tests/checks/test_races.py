"""However many guesses come at once, at however many processes: five reach Telnyx, and one right one verifies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.conftest import at, command
from tests.support.gateway import Calls, Gateway, run_gateway, run_process
from tests.support.guessing import (
    begin_and_read,
    count_guesses_at_telnyx,
    count_statuses,
    count_turned_away,
    guess_all,
    wrong_codes,
)


class Replicas(NamedTuple):
    """Two processes of one gateway."""

    gateway: Gateway
    doors: list[Calls]


@pytest.fixture(scope="module")
async def replicas(postgres: str, template: str) -> AsyncIterator[Replicas]:
    name = f"verify_test_{uuid4().hex}"
    await command(postgres, f"create database {name} template {template} strategy file_copy")
    async with AsyncExitStack() as running:
        gateway = await running.enter_async_context(run_gateway(at(postgres, name), serve=False))
        processes = [await running.enter_async_context(run_process(gateway)) for _ in range(2)]
        yield Replicas(gateway, [process.calls for process in processes])
    await command(postgres, f"drop database {name} with (force)")


@pytest.fixture
def fresh(replicas: Replicas) -> Replicas:
    replicas.gateway.stage.journal.clear()
    return replicas


async def test_of_200_wrong_guesses_at_two_processes_exactly_five_reach_telnyx(fresh: Replicas) -> None:
    """CVE-2026-107276: read, check, then count is a race."""
    gateway, doors = fresh
    verification, code = await begin_and_read(gateway, "+13125550151", doors[0])
    replies = await guess_all(doors, verification, wrong_codes(code, 200))
    assert count_guesses_at_telnyx(gateway) == 5
    statuses = count_statuses(replies)
    assert (statuses[200], count_turned_away(statuses)) == (5, 195)
    told = sorted(reply.body["attempts_remaining"] for reply in replies if reply.status == 200)
    assert told[0] == 0
    for reply in replies:
        if reply.status == 429:
            assert reply.headers["retry-after"] == "1"
        if reply.status == 409:
            assert reply.body["verification_status"] == "locked"
    for door in doors:
        assert (await door.read(verification)).body["status"] == "locked"
    late = await doors[1].verify(verification, code)
    assert (late.status, late.body["verification_status"]) == (409, "locked")
    assert count_guesses_at_telnyx(gateway) == 5


async def test_volley_after_volley_reaches_telnyx_five_times_in_all(fresh: Replicas) -> None:
    gateway, doors = fresh
    verification, code = await begin_and_read(gateway, "+13125550152", doors[0])
    codes = wrong_codes(code, 183)
    replies = []
    for volley in (codes[:3], codes[3:63], codes[63:123], codes[123:]):
        replies += await guess_all(doors, verification, volley)
    assert count_guesses_at_telnyx(gateway) == 5
    statuses = count_statuses(replies)
    assert (statuses[200], count_turned_away(statuses)) == (5, 178)


async def test_among_wrong_guesses_in_parallel_a_right_one_verifies_once_or_is_turned_away(fresh: Replicas) -> None:
    gateway, doors = fresh
    verification, code = await begin_and_read(gateway, "+13125550153", doors[0])
    replies = await guess_all(doors, verification, [*wrong_codes(code, 2), code, *wrong_codes(code, 2)])
    right = [reply for reply in replies if reply.status == 200 and reply.body["verified"]]
    assert len(right) == 1
    assert right[0] is replies[2]
    assert (await doors[1].read(verification)).body["status"] == "verified"


async def test_one_right_code_given_twice_at_once_is_right_once(fresh: Replicas) -> None:
    gateway, doors = fresh
    verification, code = await begin_and_read(gateway, "+13125550154", doors[0])
    replies = await guess_all(doors, verification, [code, code])
    assert sorted(reply.status == 200 and reply.body["verified"] for reply in replies) == [False, True]
    assert (await doors[0].read(verification)).body["status"] == "verified"
    again = await doors[1].verify(verification, code)
    assert (again.status, again.body["verification_status"]) == (409, "verified")
