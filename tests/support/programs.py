"""Programs that are no part of this project: run beside a test, or asked once; skipped, with a word, where missing.

Used by the tests of deploy/. .ci/run installs what Debian has of them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
# Where Debian keeps what only root needs; a user's PATH may lack it.
PLACES = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def find_program(name: str) -> str:
    """Return where a program is; skips the test where it is not installed."""
    place = shutil.which(name, path=PLACES)
    if place is None:
        pytest.skip(f"{name} is not installed")
    return place


async def ask_program(name: str, *words: str | Path, cwd: Path = DEPLOY) -> tuple[int, str]:
    """Run a program to its end; return its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        find_program(name), *words, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@asynccontextmanager
async def run_program(name: str, *words: str | Path, log: Path, env: Mapping[str, str]) -> AsyncIterator[None]:
    """Run a program while the context is open; what it says goes to `log`, and into the failure if it ends early."""
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            find_program(name), *words, stdout=sink, stderr=sink, env=os.environ | dict(env)
        )
    try:
        yield
    except AssertionError as error:
        error.add_note(log.read_text())
        raise
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
