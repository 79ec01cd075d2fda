"""A program that reads codes from its input, line by line, against a real gateway. Used by tests/clients."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.support.gateway import PHONE, Gateway, read_code, wrong


async def talk(gateway: Gateway, *command: str | Path, cwd: Path, **environment: str) -> list[str]:
    """Run it, type a wrong code and then the right one; return the lines that it printed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), PHONE, cwd=cwd,
        env=os.environ | {"GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.key} | environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        code = await read_code(gateway)
        out, errors = await process.communicate(f"{wrong(code)}\n{code}\n".encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return out.decode().splitlines()
