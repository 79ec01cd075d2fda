"""A defect of ours is a plain problem to the caller, and one line in the log: what broke and where, not its words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import command
from tests.support.clusters import query
from tests.support.gateway import Process, run_gateway, run_process
from tests.support.waiting import PATIENCE
from tests.support.wire import assert_problem, speak, write_request

PLANTED = "planted +442079460123"
# The same call, but for one thing: it raises an error whose text holds what nobody may see.
BROKEN = """
do $$ begin
    execute replace(
        pg_get_functiondef('use_fallback'::regproc),
        'v_channel text;',
        'v_channel text := ''{PLANTED}''::text::int::text;'
    );
end $$
"""


@pytest.fixture
async def process(database_url: str) -> AsyncIterator[Process]:
    async with run_gateway(database_url, serve=False) as gateway, run_process(gateway) as running:
        await command(database_url, BROKEN.format(PLANTED=PLANTED))
        yield running


def read_log(process: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.log.read_text().splitlines()]


def list_failed(process: Process) -> list[dict[str, Any]]:
    return [entry for entry in read_log(process) if entry["event"] == "round_failed"]


async def read_sealed(database_url: str) -> object:
    """Read what is kept of the verification's number: nothing, once a round has ended it."""
    return await query(database_url, "select sealed from verifications")


async def test_a_defect_is_a_plain_problem_and_a_line_in_the_log_without_its_text(process: Process) -> None:
    verification = await process.calls.begin()
    auth = f"Authorization: Bearer {process.calls.key}"
    asked = write_request("POST", f"/v1/verifications/{verification}/fallback", auth)
    answer = await speak(process.calls.url, asked)
    problem = assert_problem(answer, 500, "unexpected")
    assert problem.detail == "Try again; the request id helps to find out why."
    log = read_log(process)
    (line,) = [entry for entry in log if entry["event"] == "unexpected"]
    assert line["request"] == answer.header("x-request-id")
    assert line["level"] == "error"
    assert line["exception"] == "InvalidTextRepresentationError"
    assert ".py:" in line["where"]
    assert PLANTED not in process.log.read_text()
    assert "Traceback" not in process.log.read_text()
    assert (await process.calls.read(verification)).status == 200


async def test_a_defect_in_what_happens_after_the_answer_stops_nothing_else(
    process: Process, database_url: str
) -> None:
    await command(database_url, "alter table webhook_events rename to elsewhere")
    async with asyncio.timeout(PATIENCE):
        while {entry["round"] for entry in list_failed(process)} != {"_find_due", "apply_events"}:
            await asyncio.sleep(0.1)
    assert {entry["exception"] for entry in list_failed(process)} == {"UndefinedTableError"}
    verification = await process.calls.begin()
    await command(database_url, "update verifications set expires_at = now(), next_action_at = now()")
    async with asyncio.timeout(PATIENCE):
        while (await read_sealed(database_url)) is not None:
            await asyncio.sleep(0.1)
    assert (await process.calls.read(verification)).body["status"] == "expired"
