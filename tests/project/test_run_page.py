"""docs/run.md, followed to the letter: from the wheel and an empty database to the first number that is verified."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.commands import environment_with
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "run.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```sh\n(.+?)^```", PAGE.partition("## From nothing")[2].partition("\n## ")[0])
NUMBER = '{"phone_number": "+13125550142"}'


@asynccontextmanager
async def run_stand_ins(folder: Path, port: int) -> AsyncIterator[dict[str, str]]:
    """Run the stand-ins as the page says, and return the settings that they print."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "sandbox", "--stand-ins", "--stage-port", str(port), cwd=folder,
        env=environment_with({}), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        async with asyncio.timeout(PATIENCE):
            lines = [(await process.stdout.readline()).decode().strip() for _ in range(7)]
        yield dict(line.split("=", 1) for line in lines)
    finally:
        process.terminate()
        await process.wait()


def write_script(settings: dict[str, str], port: int, stage: int) -> str:
    """Write the page's steps 3 to 9, with what is ours in place of what each reader has of their own."""
    install, make, *steps = BLOCKS
    assert "pip install" in install
    assert "createdb" in make
    script = "\n".join(steps)
    for name, value in settings.items():
        line = f"{name}='{value}'"
        before = re.search(rf"(?m)^{name}=.*$", script)
        script = script.replace(before[0] if before else "\nEND\n", line if before else f"\n{line}\nEND\n", 1)
    inbox = f"curl -sS 127.0.0.1:{stage}/control/inbox -H 'Content-Type: application/json' -d '{NUMBER}'"
    ours = {
        "alerts.example.com/…": "alerts.example.com/hook",
        "TOKEN": "pass:1",
        "127.0.0.1:8080": f"127.0.0.1:{port}",
        "serve --workers 2 &": f"serve --port {port} --workers 2 & trap 'kill %1' EXIT",
        # A reader takes a moment from one step to the next, and looks at their phone.
        "verify-gateway doctor": f"{retry(f'curl -sf 127.0.0.1:{port}/readyz')}\nverify-gateway doctor",
        "read -r -p 'The code: ' CODE": retry(f'CODE=$({inbox} | grep -oP \'(?<="code":")[0-9]+\')'),
    }
    for theirs, own in ours.items():
        assert theirs in script
        script = script.replace(theirs, own)
    assert "…" not in script
    return script


def retry(command: str) -> str:
    return f"until {command}; do sleep 0.2; done"


async def test_the_page_leads_from_nothing_to_a_doctor_that_finds_nothing_and_a_verified_number(
    tmp_path: Path, empty_database_url: str
) -> None:
    tool = tmp_path / "verify-gateway"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m service "$@"\n')
    tool.chmod(0o755)
    commands = environment_with({"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    stage, port = free_port(), free_port()
    async with run_stand_ins(tmp_path, stage) as settings:
        script = write_script(settings | {"DATABASE_URL": empty_database_url}, port, stage)
        process = await asyncio.create_subprocess_exec(
            "timeout", "600", "bash", "-euo", "pipefail", "-mc", script, cwd=tmp_path, env=commands,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
    said = out.decode()
    assert process.returncode == 0, said + err.decode()
    assert "35 pass, 0 warn, 0 fail" in said
    assert '"verified":true' in said
