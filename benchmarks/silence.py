"""Whether one answer tells a real verification from a decoy, by its time or its looks: `python -m benchmarks silence`.

Plays real and decoy verifications, shuffled, against `serve` in front of a Telnyx at 100 ms that drifts by 30, webhooks
and all, and classifies them by each call's time. The times are those of a caller on the same machine.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from itertools import count
from typing import Any

import aiohttp

from benchmarks.cpu import Calibration
from benchmarks.gateway import OBSERVED, Gateway
from benchmarks.house import House
from benchmarks.likeness import Area, compare
from benchmarks.report import Report, Table, percentile

MANY, PLAYERS = 150, 75
DRIFT = 0.03
SENDS = 3  # of one play: two requests and a press
CALLS = ("request", "read at once", "verify at once", "press", "read then", "verify", "verify again", "request again")
POLICY = """
[limits]
phone = ["1000/1h"]
ip = ["1000/1s"]
[fallback]
after = "1s"
"""

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
        """Request, guess, press, guess again, and request once more: every call timed."""
        body = {"phone_number": kind.next_number(), "ip_address": "203.0.113.9", **kind.fields}
        asked = await self._time(kind, "request", "POST", "", body)
        path = f"/{asked['id']}"
        await self._time(kind, "read at once", "GET", path)
        await self._time(kind, "verify at once", "POST", f"{path}/verify", {"code": "12345"})
        await asyncio.sleep(random.uniform(1.0, 1.3))  # noqa: S311  until the fallback is there
        await self._time(kind, "press", "POST", f"{path}/fallback")
        await self._time(kind, "read then", "GET", path)
        await asyncio.sleep(random.uniform(1.0, 1.3))  # noqa: S311  until its send is long over
        await self._time(kind, "verify", "POST", f"{path}/verify", {"code": "12345"})
        await self._time(kind, "verify again", "POST", f"{path}/verify", {"code": "12345"})
        await self._time(kind, "request again", "POST", "", body)

    async def _time(self, kind: Kind, call: str, method: str, path: str, body: Any = None) -> Any:
        began = time.perf_counter()
        async with self._session.request(method, self._url + path, json=body) as answer:
            text = await answer.read()
            kind.times[call].append(time.perf_counter() - began)
            kind.shapes[call].add((answer.status, tuple(answer.headers), len(text)))
            return await answer.json(content_type=None)


async def measure(house: House, calibration: Calibration, report: Report) -> None:
    """Play everybody, and classify."""
    real = Kind("real", "+131223")
    decoys = [
        Kind("deliver: false", "+131224", deliver=False),
        Kind("country off the list", "+447400"),
        Kind("no valid number", "+120001"),
        Kind("refused by Telnyx", "+141623"),
    ]
    plays = [kind for kind in (real, real, *decoys) for _ in range(MANY)]
    random.shuffle(plays)
    async with house.play_telnyx(DRIFT, webhooks=True), house.serve(POLICY + OBSERVED) as gateway:
        await _play_all(gateway, house.key, plays)
        await house.wait_until_sent()
        sent = sum(call["phone_number"].startswith(real.prefix) for call in await house.journal("send"))
    if sent != SENDS * 2 * MANY:
        raise RuntimeError(f"{sent} real sends went out, not {SENDS * 2 * MANY}")
    await house.forget()
    calibration.take()
    _tell(real, decoys, report)


async def _play_all(gateway: Gateway, key: str, plays: list[Kind]) -> None:
    left = iter(plays)

    async def work() -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
            player = Player(gateway.url, session)
            for kind in left:
                await player.play(kind)

    await asyncio.gather(*(work() for _ in range(PLAYERS)))


def _tell(real: Kind, decoys: list[Kind], report: Report) -> None:
    table = Table(
        f"AUC of one answer's time ({2 * MANY} real, {MANY} of each decoy; ± 95 %)",
        ["", "real, ms, p50", *(kind.name for kind in decoys), "all decoys"],
    )
    together: dict[str, Area] = {}
    for call in CALLS:
        together[call] = compare(real.times[call], [one for kind in decoys for one in kind.times[call]])
        areas = [compare(real.times[call], kind.times[call]) for kind in decoys]
        cells = (area.write() for area in [*areas, together[call]])
        table.add(call, f"{percentile(real.times[call], 0.5) * 1_000:.0f}", *cells)
    report.show(table)
    alike = all(kind.shapes[call] == real.shapes[call] for call in CALLS for kind in decoys)
    print(f"Status, headers and length of every answer: {'alike' if alike else 'NOT alike'}.\n")
    call, worst = max(together.items(), key=lambda item: item[1].surprise)
    report.aim(
        f"AUC's distance from 0.5 in its deviations, the worst of {len(CALLS)} calls: {call}, {worst.write()}",
        worst.surprise,
        3.0,
        "",
    )
