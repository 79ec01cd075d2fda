"""Callbacks: how many leave one process, whether receivers that hang cost others, and whether one tells a decoy.

`python -m benchmarks callbacks`. The gateway is `serve`, the receivers are a process of their own. CALLBACK_PLAYS: how
many verifications end in each way, half of them real.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.callback_receiver import Told
from benchmarks.callback_tells import measure_tells
from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.gateway import LOOK, OBSERVED, PATIENCE, Gateway
from benchmarks.players import POLICY
from benchmarks.processes import run
from benchmarks.report import Report, Table, percentile
from tests.support.gateway import make_key
from tests.support.receivers import set_up

# Clients whose receivers take what comes: what leaves one process goes to several.
TAKING = ("shop", "brief", "bank", "forum")
BACKLOG, HANGING, KEPT_WAITING = 6_000, 10, 64
PACED, EVERY = 20, 0.1  # callbacks that happen at once, and how often (seconds)
SECONDS = 4.0
HAPPEN = """
insert into callbacks (id, client_id, verification_id, status, at, next_at, attempts)
select gen_random_uuid(), c.id, gen_random_uuid(), 'verified', clock_timestamp(), clock_timestamp(), 0
from clients c, generate_series(1, $2) where c.name = any ($1)
"""
BRIEF = '[clients.brief.verification]\nexpires_after = "3s"\n'


class Receivers:
    """The receivers' process, as the measurements see it."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = session
        self.told: list[Told] = []

    async def read(self) -> list[Told]:
        """Return all that was told so far."""
        async with self._session.get(f"{self.url}/told") as reply:
            self.told += msgspec.json.decode(await reply.read(), type=list[Told])
        return self.told

    async def wait_for(self, path: str, many: int) -> list[Told]:
        """Wait until so many came to a path; return them, and forget everything."""
        async with asyncio.timeout(PATIENCE * 4):
            while len(found := [one for one in await self.read() if one.path == path]) < many:
                await asyncio.sleep(LOOK)
        self.told = [one for one in self.told if one.path != path]
        return found


@asynccontextmanager
async def run_receivers(folder: Path) -> AsyncIterator[Receivers]:
    """Run them while the context is open."""
    async with run(["benchmarks.callback_receiver"], {}, folder / "receivers.log") as process:
        port = int(await process.stdout.readline()) if process.stdout else 0
        async with aiohttp.ClientSession() as session:
            yield Receivers(port, session)


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Measure all three."""
    for client in TAKING[1:]:
        await make_key(environment.database, client)
    serving = environment.serve(POLICY + BRIEF + OBSERVED, CALLBACK_ALLOW_PRIVATE="true")
    async with environment.play_telnyx(), run_receivers(environment.folder) as receivers, serving as gateway:
        for client in TAKING:
            await set_up(environment.database, f"{receivers.url}/take", client)
        await _measure_rate(environment, gateway, receivers, report)
        calibration.take()
        await measure_tells(environment, gateway, receivers, report, int(os.environ.get("CALLBACK_PLAYS", "960")))
    await environment.database.pool.execute("delete from callback_endpoints")
    await environment.forget()
    calibration.take()


async def _measure_rate(environment: Environment, gateway: Gateway, receivers: Receivers, report: Report) -> None:
    table = Table(
        f"Callbacks to {len(TAKING)} receivers, {HANGING} others hanging or not",
        ["others", "a second, of a backlog", "CPU for each, ms", "delay at 200 a second, ms, p50 / p99"],
    )
    await _drain(environment, gateway, receivers)  # connections, caches
    alone = await _drain(environment, gateway, receivers)
    alone_delays = await _pace(environment, receivers)
    for place in range(HANGING):
        await make_key(environment.database, f"hangs{place}")
        await set_up(environment.database, f"{receivers.url}/hang", f"hangs{place}")
        await environment.database.pool.execute(HAPPEN, [f"hangs{place}"], 10 * KEPT_WAITING)
    await receivers.wait_for("/hang", HANGING * KEPT_WAITING)
    beside = await _drain(environment, gateway, receivers)
    beside_delays = await _pace(environment, receivers)
    for words, (rate, cpu), delays in (("none", alone, alone_delays), ("hanging", beside, beside_delays)):
        spread = " / ".join(f"{percentile(delays, share) * 1_000:.0f}" for share in (0.5, 0.99))
        table.add(words, f"{rate:.0f}", f"{cpu * 1_000:.2f}", spread)
    report.show(table)
    report.aim("Callbacks a second that leave one process", alone[0], 1_000, "", least=True)
    report.aim("CPU of the process for each", alone[1] * 1_000, 1.0, "ms")
    report.aim("The same rate beside ten receivers that hang : alone", beside[0] / alone[0], 0.9, "", least=True)
    report.aim(
        "Delay beside them : alone, p50", percentile(beside_delays, 0.5) / percentile(alone_delays, 0.5), 1.25, ""
    )
    for place in range(HANGING):
        await environment.database.pool.execute(
            "delete from callback_endpoints e using clients c where c.id = e.client_id and c.name = $1", f"hangs{place}"
        )


async def _drain(environment: Environment, gateway: Gateway, receivers: Receivers) -> tuple[float, float]:
    """Have a backlog told; return how many a second left, and the CPU of each (s)."""
    before = gateway.cpu()
    await environment.database.pool.execute(HAPPEN, TAKING, BACKLOG // len(TAKING))
    came = sorted(one.at for one in await receivers.wait_for("/take", BACKLOG))
    return BACKLOG / (came[-1] - came[0]), (gateway.cpu() - before) / BACKLOG


async def _pace(environment: Environment, receivers: Receivers) -> list[float]:
    """Have callbacks happen at an even pace; return after how many seconds each arrived."""
    happened = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        happened.append(time.time())
        await environment.database.pool.execute(HAPPEN, TAKING, PACED // len(TAKING))
        await asyncio.sleep(EVERY)
    came = sorted(one.at for one in await receivers.wait_for("/take", len(happened) * PACED))
    return [at - happened[place // PACED] for place, at in enumerate(came)]
