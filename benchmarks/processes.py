"""Starts what is measured, and what stands around it, as processes of their own.

Used by environment, vendors and callbacks. Ends each that it started, and no other.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.checkouts import Checkout


@asynccontextmanager
async def run(
    words: Sequence[str], environment: dict[str, str], log: Path, checkout: Checkout | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module in a process of its own while the context is open."""
    place = checkout or Checkout()
    # As installed: where the environment forbids byte code, every start would compile all that it imports.
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            place.python, "-m", *words,
            stdout=asyncio.subprocess.PIPE, stderr=sink, env=os.environ | compiled | environment, cwd=place.path,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
