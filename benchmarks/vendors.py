"""Telnyx and Fingerprint for the measurements of cost: benchmarks.vendors_stub, started, asked and set.

Used by the measurements of sends and of several workers. Both sides of a comparison are in front of the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.gateway import PATIENCE
from benchmarks.processes import run
from benchmarks.vendors_stub import Call

SECONDS = 0.02  # that both take to answer; a process's slots for sends must not be what binds
LOOK = 0.02
FINGERPRINT_KEY = "FINGERPRINT"


class Vendors:
    """Both vendors at `url`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    @asynccontextmanager
    async def slow(self, seconds: float) -> AsyncIterator[None]:
        """Have both take so many seconds while the context is open."""
        await self._order(f"pace/{seconds}")
        try:
            yield
        finally:
            await self._order(f"pace/{SECONDS}")

    async def forget(self) -> None:
        """Forget what was sent."""
        await self._order("sends")

    async def wait_for(self, count: int) -> list[Call]:
        """Wait until so many sends have come since the last time. Raises RuntimeError if they do not."""
        calls: list[Call] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while len(calls) < count:
                    await asyncio.sleep(LOOK)
                    calls += await self._order("sends")
        except TimeoutError:
            raise RuntimeError(f"of {count} only {len(calls)} were sent") from None
        return calls

    async def _order(self, order: str) -> list[Call]:
        async with self._session.get(f"{self.url}/control/{order}") as answer:
            return msgspec.json.decode(await answer.read(), type=list[Call])


@asynccontextmanager
async def run_vendors(folder: Path) -> AsyncIterator[Vendors]:
    """Run both while the context is open."""
    words = ["benchmarks.vendors_stub", str(SECONDS)]
    async with run(words, {}, folder / "vendors.log") as stub, aiohttp.ClientSession() as session:
        port = int(await stub.stdout.readline()) if stub.stdout else 0
        yield Vendors(f"http://127.0.0.1:{port}", session)
