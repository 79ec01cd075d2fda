"""A verification whose lease this process holds, and for how long it may still act on it.

Made by verification.admission (a row inserted with its lease) and by worker.leases (a claimed row). It must never be
kept beyond the lease: by then another process may hold the row.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from service.errors import Unavailable
from service.policy.model import Policy
from service.verification.callers import Evidence
from service.verification.review import find_mark
from service.verification.states import LEASE
from service.verification.storage.rows import Claimed

T = TypeVar("T")


class Job(msgspec.Struct, frozen=True):
    """A verification whose lease this process holds, as the database gave it, and what was sealed in it.

    `waived`: the rules and limits that an operator had waived for its number when it was requested.
    """

    row: Claimed
    policy: Policy
    evidence: Evidence
    begun: float

    def age(self) -> float:
        """Return how long the lease has been held, in seconds of this process's steady clock."""
        return time.monotonic() - self.begun

    def review(self) -> str | None:
        """Return the id of the review number that it is for."""
        return None if self.row.test else find_mark(self.row.waived)

    def clock(self) -> datetime:
        """Return the database's time, carried on by this process's steady clock."""
        return self.row.now + timedelta(seconds=self.age())

    async def keep_trying(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat work while the database is away, for as long as the lease lasts."""
        while True:
            try:
                return await work()
            except Unavailable:
                # By now another process may hold the row, and goes on from what the database has of it.
                if self.age() > LEASE:
                    raise
                await asyncio.sleep(0.5)
