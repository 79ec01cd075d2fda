"""Requests to a gateway, without a pause and by several callers at once, with what each was answered.

Used by the tests of failover. Asks for another number each time, so that no limit is met.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import NamedTuple
from uuid import UUID

from tests.support.gateway import Calls

CALLERS = 8
PAUSE = 0.02


class Answer(NamedTuple):
    """When it came on the loop's clock, its status, and the verification's id where it was 202."""

    at: float
    status: int
    row: UUID | None


class Load:
    """What the callers were answered so far."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.answers: list[Answer] = []
        self._numbers = count()

    def taken(self, since: float = 0.0) -> list[Answer]:
        """Return the answers of 202 after a time."""
        return [answer for answer in self.answers if answer.row and answer.at > since]

    async def ask_on(self) -> None:
        while True:
            reply = await self.calls.request(f"+1312555{next(self._numbers):04}")
            row = UUID(reply.body["id"]) if reply.status == 202 else None
            self.answers.append(Answer(asyncio.get_running_loop().time(), reply.status, row))
            await asyncio.sleep(PAUSE)


@asynccontextmanager
async def run_load(calls: Calls) -> AsyncIterator[Load]:
    """Ask for as long as the context is open."""
    load = Load(calls)
    callers = [asyncio.create_task(load.ask_on()) for _ in range(CALLERS)]
    try:
        yield load
    finally:
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
