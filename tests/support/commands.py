"""The command line as its users meet it: a process, its two streams and its exit code.

Used by the tests of cli. Every command runs in an environment of its own, without the settings of whoever runs
the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from service.cli import main

CHECKOUT = Path(__file__).parents[2]
NONE: Mapping[str, str] = {}
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE")


class Done(msgspec.Struct, frozen=True):
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    def sentence(self) -> str:
        """Return what it failed with: exit code 1, nothing on standard output, no trace."""
        assert (self.code, self.out) == (1, ""), self
        assert "Traceback" not in self.err
        assert self.err.strip()
        return self.err.strip()


def environment_with(settings: Mapping[str, str]) -> dict[str, str]:
    return (
        {name: os.environ[name] for name in KEPT if name in os.environ} | {"PYTHONPATH": str(CHECKOUT)} | dict(settings)
    )


async def start(*words: str, settings: Mapping[str, str] = NONE, cwd: Path = CHECKOUT) -> asyncio.subprocess.Process:
    """Start `verify-gateway` with these words."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *words, cwd=cwd, env=environment_with(settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def run_inside(*words: str, settings: Mapping[str, str] = NONE) -> Done:
    """Run `verify-gateway` to its end within this process: no start to pay for. Not for what takes signals."""
    out, err = io.StringIO(), io.StringIO()

    def work() -> int:
        try:
            main(words)
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment_with(settings))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = await asyncio.to_thread(work)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Done(code, out.getvalue(), err.getvalue())


async def run(*words: str, settings: Mapping[str, str] = NONE, cwd: Path = CHECKOUT) -> Done:
    """Run `verify-gateway` with these words to its end."""
    process = await start(*words, settings=settings, cwd=cwd)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())
