"""When sends begin after their replies: a while later, drawn at random, and those of that while together.

Used by verification.sends.dispatch. Holds nothing that a crash could lose: a send that has not begun is a row under a
lease.
"""

from __future__ import annotations

import asyncio
import random

_dice = random.SystemRandom()


class Starts:
    """The next start of one process. `spread`: the most that a send waits for it, in seconds."""

    def __init__(self, spread: float) -> None:
        self._spread = spread
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait for the next start: one timer, and one waking of the process, for all that came meanwhile."""
        if not self._spread:
            return
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_later(_dice.uniform(0.0, self._spread), self._start)
        # One for each: a send that is given up must not cancel the start of the others.
        due: asyncio.Future[None] = loop.create_future()
        self._waiting.append(due)
        await due

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        for due in waiting:
            if not due.done():
                due.set_result(None)
