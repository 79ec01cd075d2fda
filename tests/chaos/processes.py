"""Processes that a run starts: each is killed with the run, however that ends, and by its own id alone.

Used by gateways and telnyx. Signals nothing that it did not start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE")
PR_SET_PDEATHSIG = 1


class Child:
    """One process that may be started again and again. Its output is appended to `log`."""

    def __init__(self, words: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> None:
        """Start nothing yet. `words`: what follows `python -m`."""
        self._command = [sys.executable, "-m", *words]
        self._environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._environment |= {"PYTHONPATH": str(CHECKOUT), **(settings or {})}
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.alive:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=CHECKOUT, env=self._environment,
                preexec_fn=_bind_to_parent(),  # noqa: PLW1509 (a killed run leaves nothing behind)
            )  # fmt: skip

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, whether it stands still or not."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


def _bind_to_parent() -> Callable[[], None]:
    """On Linux the kernel kills the child when the run is killed; it reaches one that stands still, too."""
    if sys.platform != "linux":
        return lambda: None
    library, parent = ctypes.CDLL(None), os.getpid()

    def bind() -> None:
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # killed before the line above
            os._exit(1)

    return bind
