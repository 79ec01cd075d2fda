"""Verifications as a product's backend makes them, real ones and decoys, with the time and the look of every call.

Used by benchmarks.silence and benchmarks.limping. Times are those of a caller on the same machine.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Any

import aiohttp

CALLS = (
    "request",
    "read at once",
    "verify at once",
    "fallback",
    "read then",
    "verify",
    "verify again",
    "request again",
)
POLICY = """
[limits]
phone = ["1000/1h"]
ip = ["1000/1s"]
[fallback]
after = "1s"
"""
UNAVAILABLE = 503
# An answer of another status is as far from the others as if it had taken so many seconds longer.
APART = 100.0

Shape = tuple[int, tuple[str, ...], int]


class Kind:
    """One sort of verification: what a number of it looks like, and what the request says beside it."""

    def __init__(self, name: str, prefix: str, **fields: Any) -> None:
        self.name = name
        self.fields = fields
        self._numbers = count(1)
        self.prefix = prefix
        self.times: dict[str, list[float]] = defaultdict(list)
        self.shapes: dict[str, set[Shape]] = defaultdict(set)

    def next_number(self) -> str:
        return f"{self.prefix}{next(self._numbers):05}"


class Player:
    """One connection of a product's backend, on which one verification after another is played."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{url}/v1/verifications"
        self._session = session

    async def play(self, kind: Kind) -> None:
        """Request, guess, use a fallback, guess again, and request once more: every call timed."""
        body = {"phone_number": kind.next_number(), "ip_address": "203.0.113.9", **kind.fields}
        asked = await self._time(kind, "request", "POST", "", body)
        if "id" not in asked:  # refused, as everybody is now
            await asyncio.sleep(1.0)
            return
        path = f"/{asked['id']}"
        await self._time(kind, "read at once", "GET", path)
        await self._time(kind, "verify at once", "POST", f"{path}/verify", {"code": "12345"})
        await asyncio.sleep(random.uniform(1.0, 1.3))
        await self._time(kind, "fallback", "POST", f"{path}/fallback")
        await self._time(kind, "read then", "GET", path)
        await asyncio.sleep(random.uniform(1.0, 1.3))
        await self._time(kind, "verify", "POST", f"{path}/verify", {"code": "12345"})
        await self._time(kind, "verify again", "POST", f"{path}/verify", {"code": "12345"})
        await self._time(kind, "request again", "POST", "", body)

    async def _time(self, kind: Kind, call: str, method: str, path: str, body: Any = None) -> Any:
        began = time.perf_counter()
        async with self._session.request(method, self._url + path, json=body) as answer:
            text = await answer.read()
            refused = APART if answer.status == UNAVAILABLE else 0.0
            kind.times[call].append(time.perf_counter() - began + refused)
            kind.shapes[call].add((answer.status, tuple(answer.headers), len(text)))
            return await answer.json(content_type=None)


def make_kinds() -> tuple[Kind, list[Kind]]:
    """Make a real sort, and every sort that sends nothing."""
    decoys = [
        Kind("deliver: false", "+131224", deliver=False),
        Kind("country off the list", "+447400"),
        Kind("premium number", "+190023"),
        Kind("refused by Telnyx", "+141623"),
    ]
    return Kind("real", "+131223"), decoys


async def play_all(url: str, key: str, plays: Sequence[Kind], players: int) -> None:
    """Play all, so many at a time."""
    left = iter(plays)

    async def work() -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
            player = Player(url, session)
            for kind in left:
                await player.play(kind)

    await asyncio.gather(*(work() for _ in range(players)))
