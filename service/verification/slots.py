"""How many sends one process makes at once, and the tasks that make them.

Called by request (a slot in hand before the row is inserted) and by worker (as many claims as free slots).
A slot is held from the claim to the record, whatever happens between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from service import telemetry


class Slots:
    """A bounded set of running sends."""

    def __init__(self, size: int) -> None:
        """Allow `size` at once."""
        self.free = size
        self.wanted = asyncio.Event()
        self._missed = False
        self._queued = False
        self._running: set[asyncio.Task[None]] = set()

    def take(self) -> bool:
        """Take a slot for a row that is about to be made: not before those that wait, or the newest win a flood."""
        if self._queued or self.free <= 0:
            self._missed = self._queued = True
            return False
        self.free -= 1
        return True

    def take_for_claim(self) -> int:
        """Take the free slots for a claim, and return how many; half of them while nobody is known to wait.

        A row that finds no slot has to be claimed: if every look kept all slots, it would cause the next one.
        """
        taken = self.free if self._queued else (self.free + 1) // 2
        self.free -= taken
        self._missed = not taken
        return taken

    def give_back(self, count: int = 1) -> None:
        """Give slots back. Wakes the worker only where one was missed: else an idle one would spin."""
        self.free += count
        if self._missed and self.free > 0:
            self._missed = False
            self.wanted.set()

    def put_back(self, count: int) -> None:
        """Give back what a claim found no rows for: nobody waits any longer."""
        self._queued = False
        self.give_back(count)

    def ask(self) -> None:
        """Have the worker look for due rows at once: one was just made."""
        self.wanted.set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work in a slot that was taken; the slot comes back when it ends, however it ends."""
        # Held until it has ended: asyncio keeps only weak references, and a send could vanish in the middle.
        task = asyncio.create_task(self._guard(work))
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
        """Wait until what runs has ended, `limit` seconds at most."""
        if self._running:
            await asyncio.wait(self._running, timeout=limit)
