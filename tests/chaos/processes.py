"""Processes that a run starts: each ends with the run, however that ends, and is ended by its own id alone.

Used by gateways and telnyx. Signals nothing that it did not start.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.commands import environment_with

CHECKOUT = Path(__file__).parents[2]
LOOK = 0.1


class Child:
    """One process that may be started again and again. Its output is appended to `log`."""

    def __init__(self, words: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> None:
        """Start nothing yet. `words`: what follows `python -m`."""
        self._command = [sys.executable, "-m", "tests.chaos.bound", str(os.getpid()), *words]
        self._environment = environment_with(settings or {})
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.alive:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=CHECKOUT, env=self._environment
            )

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def ended(self, patience: float) -> bool:
        """Wait until the process that runs now has ended, whether another one follows it or not."""
        process, end = self._process, time.monotonic() + patience
        while process is not None and process.poll() is None:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(LOOK)
        return True

    def kill(self) -> None:
        """End it at once, whether it stands still or not."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
