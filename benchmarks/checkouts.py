"""A checkout whose gateway is measured: this one, or another beside it with its own code, packages and migrations.

Used by benchmarks.environment. The load, the vendors and the clocks are always this checkout's. Another one needs its
.venv (`make .venv/.ready` there); what is asked of it is what its commands have in common with ours.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.gateway import observe_histories

HERE = Path(__file__).parents[1]
OBSERVE = "import sys; from tests.support.gateway import observe_histories; print(observe_histories(sys.argv[1]))"


class Checkout:
    """One checkout. `path`: where it is; `python`: the interpreter with its packages."""

    def __init__(self, path: Path = HERE) -> None:
        """Raise FileNotFoundError if it has no packages."""
        self.path = path.resolve()
        self.python = sys.executable if self.path == HERE else str(self.path / ".venv/bin/python")
        if not Path(self.python).exists():
            raise FileNotFoundError(f"{self.python} is missing: run `make .venv/.ready` in {self.path}.")

    def name_commit(self) -> str:
        """Return its commit, with + where files differ from it."""
        commit = self._ask_git("rev-parse", "--short", "HEAD")
        return commit + ("+" if self._ask_git("status", "--porcelain") else "") if commit else "no commit"

    async def observe(self, policy: str) -> str:
        """Return a policy under which this checkout's rules on histories only observe."""
        if self.path == HERE:
            return observe_histories(policy)
        return await self.run({}, "-c", OBSERVE, policy)

    async def run(self, environment: Mapping[str, str], *words: str) -> str:
        """Run its Python to the end; return what it printed."""
        process = await asyncio.create_subprocess_exec(
            self.python, *words, stdout=asyncio.subprocess.PIPE, cwd=self.path, env=os.environ | environment
        )
        printed, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(words[:3])} ended with {process.returncode} in {self.path}")
        return printed.decode().strip()

    def _ask_git(self, *words: str) -> str:
        command = ["git", "-C", str(self.path), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
