"""The sandbox: what it prints works as it stands, it ends when told, and it never starts with a real key."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.support.clusters import find_processes
from tests.support.commands import run, start
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE


def free_ports() -> tuple[str, str]:
    return str(free_port()), str(free_port())


@asynccontextmanager
async def sandbox(home: Path, end: signal.Signals) -> AsyncIterator[str]:
    """Run a sandbox until it is ready, yield what it printed, and end it."""
    port, stage_port = free_ports()
    process = await start("sandbox", "--home", str(home), "--port", port, "--stage-port", stage_port)
    assert process.stdout
    try:
        said = b""
        async with asyncio.timeout(PATIENCE):
            while b"curl" not in said:
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                said += line
        yield said.decode()
        process.send_signal(end)
        async with asyncio.timeout(PATIENCE):
            _, err = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in err
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    # The server itself ends a moment after the last who used it.
    async with asyncio.timeout(PATIENCE):
        while find_processes("postgres", home):
            await asyncio.sleep(0.1)


def read_word(said: str, name: str) -> str:
    (found,) = re.findall(rf"^  {name} +(\S+)$", said, re.MULTILINE)
    return str(found)


async def test_what_the_sandbox_prints_works_as_it_stands_and_a_signal_ends_it(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    async with sandbox(home, signal.SIGINT) as said:
        (curl,) = [line for line in said.splitlines() if line.startswith("curl ")]
        shell = await asyncio.create_subprocess_shell(curl, stdout=asyncio.subprocess.PIPE)
        out, _ = await shell.communicate()
        assert json.loads(out)["status"] == "pending"
        async with aiohttp.ClientSession() as session:
            for name in ("demo page", "inbox", "API docs"):
                async with session.get(read_word(said, name)) as response:
                    assert response.status == 200, name
        key = read_word(said, "key")
    async with sandbox(home, signal.SIGTERM) as said:
        assert read_word(said, "key") == key, "a key that was handed out is good at the next start"


async def test_the_sandbox_never_starts_with_a_real_key(tmp_path: Path) -> None:
    done = await run("sandbox", "--home", str(tmp_path / "home"), settings={"TELNYX_API_KEY": "KEY0123_hidden"})
    said = done.sentence()
    assert "TELNYX_API_KEY" in said
    assert "hidden" not in said
    assert not (tmp_path / "home").exists()


async def test_the_sandbox_says_which_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, other = str(taken.getsockname()[1]), free_ports()[0]
        for ports in (["--port", port, "--stage-port", other], ["--port", other, "--stage-port", port]):
            said = (await run("sandbox", "--home", str(tmp_path / "home"), *ports)).sentence()
            assert f"127.0.0.1:{port}" in said
            assert "--stage-port" in said
    assert not (tmp_path / "home").exists()


async def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    port, stage_port = free_ports()
    home = str(tmp_path / "file" / "home")
    said = (await run("sandbox", "--home", home, "--port", port, "--stage-port", stage_port)).sentence()
    assert home in said
