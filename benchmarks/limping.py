"""The same as benchmarks.silence while Telnyx fails for ids that it knows, or with half of all checks.

On a busy process, with several checks a second, and on a quiet one. SILENCE_PLAYS: how many are played of each sort.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from benchmarks.auc import compare
from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.gateway import OBSERVED
from benchmarks.players import POLICY, Kind, make_kinds, play_all
from benchmarks.report import Report, Table
from benchmarks.requests import CODE

WAYS: dict[str, dict[str, Any]] = {
    "known ids 0.5 s slower": {"kind": "slow", "ids": "known", "seconds": 0.5},
    "known ids fail": {"kind": "error500", "ids": "known"},
    "half of all fail": {"kind": "error500", "share": 0.5},
}
# How many real ones and as many decoys are played, and how many at a time.
PACES = {"busy": (152, 76), "quiet": (40, 3)}
# Seconds. It comes and goes: a failure without an end would have everybody refused after half a minute.
ILL, WELL = 20.0, 3.0
ENDED = 12
REFRESHED = 3.0  # seconds after which a gateway knows of a verification that has ended
VERIFIES = ("verify at once", "verify", "verify again")
OTHERS = ("request", "read at once", "fallback", "read then", "request again")
ACCEPTED = 202


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Play everything, with each way to fail and at each pace."""
    table = Table("AUC of one answer's time and status, all decoys against real, while Telnyx limps (± 95 %)",
                  ["", *VERIFIES, "all verifies", "n", *OTHERS])  # fmt: skip
    for pace, (usual, players) in PACES.items():
        many = int(os.environ.get("SILENCE_PLAYS", usual))
        for name, fault in WAYS.items():
            real, decoys = make_kinds()
            plays = [real] * many + [decoys[place % len(decoys)] for place in range(many)]
            random.shuffle(plays)
            async with environment.play_telnyx(), environment.serve(POLICY + OBSERVED) as gateway:
                await _end_some(gateway.url, environment.key)
                async with _limp(environment.telnyx_url, {"operations": ["check"], **fault}):
                    await play_all(gateway.url, environment.key, plays, players)
                await environment.wait_until_sent()
            await environment.forget()
            calibration.take()
            _tell(f"{name}, {pace}", real, decoys, table, report)
    report.show(table)


def _tell(name: str, real: Kind, decoys: Sequence[Kind], table: Table, report: Report) -> None:
    ones = [one for call in VERIFIES for one in real.times[call]]
    others = [one for call in VERIFIES for kind in decoys for one in kind.times[call]]
    together = compare(ones, others)
    areas = [
        compare(real.times[call], [one for kind in decoys for one in kind.times[call]]).write()
        for call in (*VERIFIES, *OTHERS)
    ]
    table.add(name, *areas[: len(VERIFIES)], together.write(), f"{len(ones)} : {len(others)}", *areas[len(VERIFIES) :])
    print(f"{name}: {together.write()}", flush=True)
    report.aim(f"AUC's distance from 0.5 in its deviations: verify, {name}", together.surprise, 3.0, "")


async def _end_some(url: str, key: str) -> None:
    """Have some verifications verified, as on any gateway in use."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
        for number in range(ENDED):
            body = {"phone_number": f"+131225{number:05}", "ip_address": "203.0.113.9"}
            async with session.post(f"{url}/v1/verifications", json=body) as answer:
                if answer.status != ACCEPTED:
                    raise RuntimeError(f"answered {answer.status}")
                path = (await answer.json())["id"]
            async with session.post(f"{url}/v1/verifications/{path}/verify", json={"code": CODE}) as answer:
                await answer.read()
    await asyncio.sleep(REFRESHED)


@asynccontextmanager
async def _limp(telnyx_url: str, fault: dict[str, Any]) -> AsyncIterator[None]:
    """Make Telnyx fail, again and again."""
    async with aiohttp.ClientSession() as session:
        path = f"{telnyx_url}/control/faults"

        async def come_and_go() -> None:
            while True:
                async with session.post(path, json=fault) as answer:
                    answer.raise_for_status()
                await asyncio.sleep(ILL)
                await session.delete(path)
                await asyncio.sleep(WELL)

        task = asyncio.create_task(come_and_go())
        try:
            yield
        finally:
            task.cancel()
            await session.delete(path)
