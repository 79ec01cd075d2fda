"""What a whole send and a check cost, Telnyx at 100 ms, and on what it is spent: `python -m benchmarks sends`.

A send is counted whole: the request, its decision, the call to Telnyx, the record. A window ends when its last send is
recorded, so that nothing that it began is missing. The histories that it is weighed against have filled up before.
Windows go by turns: requests that come one by one, and as many that come at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median

import msgspec

from benchmarks import requests as asks
from benchmarks.cpu import Calibration, Clock
from benchmarks.environment import Environment
from benchmarks.gateway import Gateway
from benchmarks.load import Answer
from benchmarks.report import Report, Table

RATE = 250  # a second
COUNT = 100
WARM = 4
WINDOWS = 8
SAMPLED = 10
SPREAD, AT_ONCE = f"{RATE} a second", f"{COUNT} at once"
ALONE, SEND, RIGHT, WRONG = "HTTP alone (GET /healthz)", "whole send", "check, right code", "check, wrong code"
AIMS = {SEND: 1.4, RIGHT: 0.9, WRONG: 0.9}


class Cost(msgspec.Struct):
    """CPU ms of one operation."""

    service: float
    database: float


Costs = dict[tuple[str, str], list[Cost]]


class Meter:
    """Plays windows against one gateway, and notes what each cost."""

    def __init__(self, environment: Environment, gateway: Gateway, database: Clock) -> None:
        self._house = environment
        self._gateway = gateway
        self._database = database
        self.costs: Costs = defaultdict(list)

    async def warm(self) -> None:
        """Fill the histories with converted sends, and forget what that cost."""
        for _ in range(WARM):
            await self.check(RIGHT, await self.send(), asks.CODE)
        self.costs.clear()

    async def take_turn(self, pace: str) -> None:
        """Play one window of everything."""
        await self.play(ALONE, [asks.health()] * COUNT, 200, pace)
        rows = await self.send(pace)
        await self.check(WRONG, rows, asks.WRONG_CODE, pace)
        await self.check(RIGHT, rows, asks.CODE, pace)

    async def send(self, pace: str = SPREAD) -> list[str]:
        """Make sends; return the ids."""
        requests = [asks.ask(self._house.key) for _ in range(COUNT)]
        return [answer.id for answer in await self.play(SEND, requests, 202, pace)]

    async def check(self, name: str, rows: Sequence[str], code: str, pace: str = SPREAD) -> None:
        """Give one code for each verification."""
        requests = [asks.guess(self._house.key, row, code) for row in rows]
        for answer in await self.play(name, requests, 200, pace):
            if answer.body["verified"] != (code == asks.CODE):
                raise RuntimeError("a code was compared wrongly")

    async def play(self, name: str, requests: Sequence[bytes], status: int, pace: str) -> list[Answer]:
        """Send requests, and wait until all that follows from them is done."""
        service, server = self._gateway.cpu(), self._database()
        how = {"rate": RATE} if pace == SPREAD else {"connections": COUNT}
        answers = await self._gateway.load.play(requests, **how)
        if name == SEND:
            await self._house.wait_until_sent()
        spent = (self._gateway.cpu() - service, self._database() - server)
        self.costs[name, pace].append(Cost(*(part * 1_000 / len(requests) for part in spent)))
        for answer in answers:
            if answer.status != status:
                raise RuntimeError(f"{name}: answered {answer.status}")
        return answers


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Measure the costs on the gateway as it is served, then the parts on one that is looked into."""
    database = await environment.clock_server()
    async with environment.play_telnyx():
        async with environment.serve() as gateway:
            meter = Meter(environment, gateway, database)
            await meter.warm()
            for _ in range(WINDOWS):
                await meter.take_turn(SPREAD)
                await meter.take_turn(AT_ONCE)
                calibration.take()
        found = await _look_into(environment, database)
    await environment.forget()
    _tell_costs(meter.costs, report)
    _tell_parts(found, meter.costs, report)


async def _look_into(environment: Environment, database: Clock) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {SEND: Counter(), RIGHT: Counter()}
    async with environment.serve(sampled=True) as gateway:
        meter = Meter(environment, gateway, database)
        await meter.check(RIGHT, await meter.send(), asks.CODE)
        await gateway.sample()
        for _ in range(SAMPLED):
            rows = await meter.send()
            found[SEND].update(await gateway.sample())
            await meter.check(RIGHT, rows, asks.CODE)
            found[RIGHT].update(await gateway.sample())
    return found


def _tell_costs(costs: Costs, report: Report) -> None:
    heads = ["CPU ms, Telnyx at 100 ms", "gateway, least", "median", "beside HTTP alone", "PostgreSQL, least", "median"]
    table = Table("One call", heads)
    for (name, pace), spent in costs.items():
        service, database = [cost.service for cost in spent], [cost.database for cost in spent]
        alone = min(cost.service for cost in costs[ALONE, pace])
        table.add(
            f"{name}, {pace}",
            f"{min(service):.2f}",
            f"{median(service):.2f}",
            f"{min(service) / alone:.1f}",
            f"{min(database):.2f}",
            f"{median(database):.2f}",
        )
        if name in AIMS:
            report.aim(f"CPU of a {name}, {pace}", min(service), AIMS[name], "ms")
    report.show(table)


def _tell_parts(found: dict[str, Counter[str]], costs: Costs, report: Report) -> None:
    table = Table(
        f"On what the gateway spends it, {SPREAD} ({COUNT * SAMPLED} of each, sampled)", ["CPU ms (share)", *found]
    )
    for part, _ in sum(found.values(), Counter[str]()).most_common():
        shares = {name: counts[part] / counts.total() for name, counts in found.items()}
        cells = (
            f"{share * min(one.service for one in costs[name, SPREAD]):.2f} ({share:.0%})"
            for name, share in shares.items()
        )
        table.add(part, *cells)
    report.show(table)
