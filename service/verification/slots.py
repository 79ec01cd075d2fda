"""How many sends one process makes at once, and the tasks that make them.

Used by admission (which takes a slot before it inserts a row) and by worker (which claims as many rows as slots are
free). A slot is held from the claim to the record, whatever happens between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from service import telemetry


class Slots:
    """The slots of one process."""

    def __init__(self, size: int) -> None:
        """Allow `size` at once."""
        self.free = size
        self.wanted = asyncio.Event()
        self._missed = False
        self._queued = False
        self._running: set[asyncio.Task[None]] = set()

    def take(self) -> bool:
        """Take a slot for a new row, unless others wait: else the newest would win in a flood."""
        if self._queued or self.free <= 0:
            self._missed = self._queued = True
            return False
        self.free -= 1
        return True

    def take_for_claim(self) -> int:
        """Take the free slots for a claim, and return how many; half of them while no row is known to wait.

        If every claim took all slots, a new row would find none, and would have to be claimed in turn.
        """
        taken = self.free if self._queued else (self.free + 1) // 2
        self.free -= taken
        self._missed = not taken
        return taken

    def give_back(self, count: int = 1) -> None:
        """Give slots back. Wakes the worker only if a slot was missed: else an idle worker would spin."""
        self.free += count
        if self._missed and self.free > 0:
            self._missed = False
            self.wanted.set()

    def put_back(self, count: int) -> None:
        """Give back the slots for which a claim found no rows: nothing waits any longer."""
        self._queued = False
        self.give_back(count)

    def ask(self) -> None:
        """Have the worker look for due rows at once."""
        self.wanted.set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work in a slot that was taken; the slot is given back however the work ends."""
        task = asyncio.create_task(self._guard(work))
        # Held here: asyncio keeps only weak references to tasks, and a send must not vanish half made.
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            # Nobody awaits this task: its defect would be told when it is collected, if at all. The row is not lost:
            # its lease runs out, and another process or round takes it over.
            telemetry.log.exception("dispatch_failed")
        finally:
            self.give_back()

    async def drain(self, limit: float) -> None:
        """Wait until running sends have ended, `limit` seconds at most."""
        if self._running:
            # `wait` cancels nothing. A send that was cancelled in its call would be in doubt, and its code perhaps on
            # its way.
            await asyncio.wait(self._running, timeout=limit)
