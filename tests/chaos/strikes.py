"""Strikes carried out, each in a task of its own, and everything healed afterwards.

Called by run. What one strike broke, the same strike mends, unless the run ends before: then `heal` does.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from typing import Literal

from service.sandbox.faults import Fault
from service.sandbox.telnyx.webhooks import Manners
from tests.chaos.records import Lapse
from tests.chaos.schedule import GATEWAY_KINDS, Strike
from tests.chaos.world import World
from tests.support.tcp_proxy import Cable, Moment

MOMENTS: tuple[Moment, ...] = ("before", "during", "after", "after")


class Striker:
    """Carries out a schedule. One strike on the database at a time; the next waits for it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: list[asyncio.Task[None]] = []
        self._database = asyncio.Lock()

    async def carry_out(self, schedule: Sequence[Strike]) -> None:
        """Strike at each strike's time; return when the last has begun. Raises what a strike raised."""
        begun = time.monotonic()
        for strike in schedule:
            await asyncio.sleep(max(0.0, begun + strike.at - time.monotonic()))
            for task in self._tasks:
                if task.done():
                    task.result()
            self._tasks.append(asyncio.create_task(self._strike(strike)))

    async def finish(self) -> None:
        """Wait until every strike is over, and has mended what it broke."""
        await asyncio.gather(*self._tasks)

    def stop(self) -> None:
        """Leave off, as the world ends."""
        for task in self._tasks:
            task.cancel()

    async def _strike(self, strike: Strike) -> None:
        self._world.book.note(str(strike))
        if strike.kind in GATEWAY_KINDS:
            await self._strike_gateway(strike)
        elif strike.kind.startswith("telnyx"):
            await self._strike_telnyx(strike)
        elif strike.kind == "webhooks":
            await self._move_webhooks(strike)
        else:
            async with self._database:
                await self._strike_database(strike)
        self._world.book.note(f"over: {strike}")

    async def _strike_gateway(self, strike: Strike) -> None:
        gateway = self._world.gateways[strike.target]
        match strike.kind:
            case "kill":
                self._world.book.lapses.append(Lapse(gateway.url, time.time()))
                gateway.kill(strike.seconds)
            case "end":
                await gateway.end(strike.seconds)
            case "stop" | "stop_past_lease":
                if strike.kind == "stop_past_lease":
                    self._world.book.lapses.append(Lapse(gateway.url, time.time()))
                gateway.child.send(signal.SIGSTOP)
                await asyncio.sleep(strike.seconds)
                gateway.child.send(signal.SIGCONT)
            case "lose":
                await self._lose(strike)
            case _:
                await asyncio.gather(*(_strike_cable(cable, strike) for cable in gateway.cables))

    async def _lose(self, strike: Strike) -> None:
        """Lose connections with whatever passes next: before the server has it, or its answer, COMMIT's among them."""
        cables = self._world.gateways[strike.target].cables
        for number in range(int(strike.amount)):
            for cable in cables:
                cable.cuts.append((b"", MOMENTS[number % len(MOMENTS)]))
            await asyncio.sleep(strike.seconds / strike.amount)
        for cable in cables:
            cable.cuts.clear()

    async def _strike_database(self, strike: Strike) -> None:
        sites = self._world.sites
        match strike.kind:
            case "standstill":
                sites.primary.freeze()
                await asyncio.sleep(strike.seconds)
                sites.primary.thaw()
            case "standby_standstill":
                sites.standby.freeze()
                await asyncio.sleep(strike.seconds)
                sites.standby.thaw()
            case "failover_kill" | "failover_standstill":
                await sites.fail_over("kill" if strike.kind == "failover_kill" else "standstill", strike.seconds / 2)
            case "restart_fast":
                await sites.restart("fast")
            case "restart_immediate":
                await sites.restart("immediate")
            case _:
                await sites.restart("kill")

    async def _strike_telnyx(self, strike: Strike) -> None:
        telnyx = self._world.telnyx
        if strike.fault is None:
            telnyx.child.send(signal.SIGSTOP)
            await asyncio.sleep(strike.seconds)
            telnyx.child.send(signal.SIGCONT)
            return
        ids: Literal["known"] | None = "known" if strike.known else None
        fault = Fault(
            kind=strike.fault, operations=strike.operations, seconds=strike.amount, ids=ids, share=strike.share
        )
        added = await telnyx.add_fault(fault)
        await asyncio.sleep(strike.seconds)
        await telnyx.clear(added)

    async def _move_webhooks(self, strike: Strike) -> None:
        copies = int(strike.amount)
        await self._world.telnyx.set_manners(Manners(delivered_after=0.4, duplicates=copies, disorder=copies % 2 == 1))
        await self._world.send_webhooks_to(strike.target)


async def _strike_cable(cable: Cable, strike: Strike) -> None:
    match strike.kind:
        case "cut":
            await cable.pull()
            await asyncio.sleep(strike.seconds)
            cable.plug()
        case "freeze":
            cable.freeze()
            await asyncio.sleep(strike.seconds)
            cable.thaw()
        case _:
            cable.lag = strike.amount
            await asyncio.sleep(strike.seconds)
            cable.lag = 0.0
