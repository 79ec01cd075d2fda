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
from typing import Any

import aiohttp

from tests.support.clusters import find_processes
from tests.support.commands import run, start
from tests.support.ports import free_port
from tests.support.receivers import check, run_receiver
from tests.support.waiting import PATIENCE, until


def free_ports() -> tuple[str, str]:
    return str(free_port()), str(free_port())


@asynccontextmanager
async def sandbox(home: Path, end: signal.Signals, **settings: str) -> AsyncIterator[str]:
    """Run a sandbox until it is ready, yield what it printed, and end it."""
    port, stage_port = free_ports()
    process = await start("sandbox", "--home", str(home), "--port", port, "--stage-port", stage_port, settings=settings)
    assert process.stdout
    try:
        said = b""
        async with asyncio.timeout(PATIENCE):
            while b"callbacks set demo " not in said:
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                said += line
        yield said.decode()
        process.send_signal(end)
        async with asyncio.timeout(PATIENCE):
            _, err = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in err
        # Half of Fingerprint's keys is worse than none.
        assert (b"Warning: FINGERPRINT_PUBLIC_KEY is set and" in err) == ("FINGERPRINT_PUBLIC_KEY" in settings)
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
    async with sandbox(home, signal.SIGINT) as said, aiohttp.ClientSession() as session:
        request, verify = [line for line in said.splitlines() if line.startswith("curl ")]
        asked = await run_curl(request)
        assert asked["status"] == "pending"
        for name in ("demo page", "inbox", "console", "API docs"):
            async with session.get(read_word(said, name)) as response:
                assert response.status == 200, name
        code = await wait_for_code(session, read_word(said, "inbox"))
        checked = await run_curl(verify.replace("/ID/", f"/{asked['id']}/").replace("CODE", code))
        assert checked["verified"] is True
        keys = {name: read_word(said, name) for name in ("key", "operator key")}
        await check_callback(said, session)
        headers = {"authorization": f"Bearer {keys['operator key']}"}
        place = f"{read_word(said, 'API')}/operator/verifications/{asked['id']}"
        async with session.get(place, headers=headers) as response:
            assert (await response.json())["sends"][0]["decision"]["allow"] is True
    async with sandbox(home, signal.SIGTERM) as said:
        assert {name: read_word(said, name) for name in keys} == keys, "keys handed out are good at the next start"


async def check_callback(said: str, session: aiohttp.ClientSession) -> None:
    """The printed command sets a receiver, here of another port, which is told how a verification ended."""
    [command] = [line for line in said.splitlines() if line.startswith("(set -a;")]
    async with run_receiver() as receiver:
        shell = await asyncio.create_subprocess_shell(
            command.replace("http://127.0.0.1:3000/callbacks", receiver.url), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await shell.communicate()
        secret = out.decode().strip()
        api, headers = read_word(said, "API"), {"authorization": f"Bearer {read_word(said, 'key')}"}
        body = {"phone_number": "+13125550143", "ip_address": "203.0.113.9"}
        async with session.post(f"{api}/verifications", json=body, headers=headers) as response:
            asked = (await response.json())["id"]
        async with session.post(f"{api}/verifications/{asked}/cancel", headers=headers) as response:
            assert response.status == 200
        await until(lambda: receiver.types_of(asked) == ["verification.canceled"], "it is told")
        check(receiver.told[-1], secret)


async def run_curl(line: str) -> Any:
    """Run a line as it stands, and return the JSON that it prints, which ends with a line break of its own."""
    shell = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.PIPE)
    out, _ = await shell.communicate()
    assert out.endswith(b"}\n")
    return json.loads(out)


async def wait_for_code(session: aiohttp.ClientSession, inbox: str) -> str:
    codes: list[str] = []

    async def arrived() -> bool:
        async with session.get(f"{inbox}.json") as response:
            codes.extend(one["code"] for one in await response.json() if one["code"])
        return bool(codes)

    await until(arrived, "a code arrives")
    return codes[-1]


async def test_the_sandbox_names_its_policy_and_sends_to_every_country_until_that_is_edited(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with sandbox(home, signal.SIGTERM) as said:
        policy = Path(read_word(said, "policy"))
        assert read_word(said, "countries") == "all"
        body = {"phone_number": "+442079460100", "ip_address": "203.0.113.9"}
        headers = {"authorization": f"Bearer {read_word(said, 'key')}"}
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{read_word(said, 'API')}/verifications", json=body, headers=headers) as response:
                assert response.status == 202
            await wait_for_code(session, read_word(said, "inbox"))
    assert policy == home / "policy.toml"
    policy.write_text('[countries]\nallow = ["US", "GB"]\n')
    async with sandbox(home, signal.SIGTERM, FINGERPRINT_PUBLIC_KEY="pubKey123", FINGERPRINT_API="v3") as said:
        assert "\n  countries     US, GB\n" in said
        async with aiohttp.request("GET", read_word(said, "demo page")) as response:
            page = await response.text()
    assert "Here only numbers of GB, US get codes" in page
    assert 'data-agent="https://fpjscdn.net/v3/pubKey123" data-api="v3" data-region="us"' in page
    assert "FINGERPRINT_SECRET_KEY is not" in page


async def test_a_public_key_that_is_none_is_named_before_anything_starts(tmp_path: Path) -> None:
    settings = {"FINGERPRINT_PUBLIC_KEY": "a/../b"}
    done = await run("sandbox", "--home", str(tmp_path / "home"), settings=settings)
    assert "FINGERPRINT_PUBLIC_KEY" in done.sentence()
    assert not (tmp_path / "home").exists()


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
