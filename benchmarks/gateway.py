"""One served process under measurement: the load that is aimed at it, its CPU, and where that goes.

Made by benchmarks.environment.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.cpu import Clock, of_family
from benchmarks.load import Load
from service.fraud.stages import HISTORY

# Overrides of the shipped policy for loads in which nobody enters a code: histories are weighed, but stop nothing.
OBSERVED = "".join(f'[rules.{name}]\nmode = "observe"\n' for name in HISTORY.rules)
PATIENCE = 60.0
LOOK = 0.05


class Gateway:
    """A process that answers at `url`. `cpu`: the seconds of CPU that it and its workers have used.

    `ready_after`: seconds that it took to start.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, load: Load, samples: Path) -> None:
        self._process = process
        self.pid = process.pid
        self._samples = samples
        self.url = f"http://127.0.0.1:{port}"
        self.cpu: Clock = of_family(process.pid)
        self.load = load
        self.ready_after = 0.0

    async def sample(self) -> dict[str, int]:
        """Return the samples since the last time, by part."""
        self._samples.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR2)
        async with asyncio.timeout(PATIENCE):
            while not self._samples.exists():
                await asyncio.sleep(LOOK)
        return msgspec.json.decode(self._samples.read_bytes(), type=dict[str, int])


async def wait_until_ready(process: asyncio.subprocess.Process, url: str) -> None:
    """Wait until a process answers. Raises RuntimeError when it ends first."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while process.returncode is None:
            try:
                async with session.get(url) as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(LOOK)
    raise RuntimeError("the gateway did not start")
