"""schemathesis, told nothing but the committed OpenAPI file, finds no answer that is not in it, and never a 500."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.db.engine import open_database
from tests.support.gateway import Process, make_key, run_gateway, run_process

FILE = Path(__file__).parents[2] / "openapi" / "openapi.json"
POLICY = """
[limits]
phone = ["1000/1h"]
ip = ["1000/1h"]
account = ["1000/1h"]
[operators]
calls = ["1000/1m"]
searches = ["1000/1m"]
"""
# A key that was used for another request is refused, and a number may be impossible: both are right.
UNTRUE = "positive_data_acceptance"


@asynccontextmanager
async def serve(database_url: str) -> AsyncIterator[Process]:
    """Serve without Telnyx's public key, so that what a webhook holds is looked at."""
    async with run_gateway(database_url, policy=POLICY, serve=False) as gateway:
        gateway.environment["TELNYX_PUBLIC_KEY"] = ""
        async with run_process(gateway) as process:
            yield process


async def explore(process: Process, folder: Path, *options: str) -> tuple[int, str]:
    """Run schemathesis with a fixed seed; return its exit code and what it said."""
    running = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")), "run", str(FILE),
        "--url", process.calls.url, "--generation-deterministic", "--no-color", "--warnings", "off", *options,
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await running.communicate()
    return running.returncode or 0, said.decode()


async def test_every_answer_to_a_client_is_in_the_file(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url) as process:
        key = f"Authorization: Bearer {process.calls.key}"
        code, said = await explore(process, tmp_path, "-H", key, "--exclude-checks", UNTRUE, "--max-examples", "15")
        assert code == 0, said
        log = process.log.read_text()
    assert "unexpected" not in log
    for status in (200, 202, 400, 404, 405, 409, 415, 422):
        assert f'"status":{status}' in log, "it did not get far"


async def test_every_answer_to_an_operator_is_in_the_file(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url) as process:
        database = await open_database(database_url)
        key = f"Authorization: Bearer {await make_key(database, 'desk', scope='operator')}"
        await database.aclose()
        # It would revoke the key that it calls with.
        only = ["--include-path-regex", "^/v1/operator/", "--exclude-operation-id", "revokeKey"]
        only += ["--exclude-checks", UNTRUE, "--max-examples", "15"]
        code, said = await explore(process, tmp_path, "-H", key, *only)
        assert code == 0, said
        log = process.log.read_text()
    assert "unexpected" not in log
    for status in (200, 201, 400, 404, 405, 415, 422):
        assert f'"status":{status}' in log, "it did not get far"


async def test_every_answer_to_a_stranger_is_in_the_file(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url) as process:
        phases = ("--phases", "examples,coverage")
        code, said = await explore(process, tmp_path, "--exclude-checks", UNTRUE, *phases)
        assert code == 0, said
        log = process.log.read_text()
    assert "unexpected" not in log
    assert '"route":"/v1/verifications","status":202' not in log
