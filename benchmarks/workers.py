"""What 1, 2 and 4 processes carry on one database, and what then binds: `python -m benchmarks workers`.

Pressed as in benchmarks.sends, but nobody is pinned: the service, PostgreSQL, the load and the stubs share all cores.
The cores that each side uses are its CPU for one operation times the operations a second.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.figures import Figures, merge
from benchmarks.meter import CHECKS, POSTGRES, PRESSED, RIGHT, SEND, SENDS, SERVICE, Meter, name_cost
from benchmarks.report import Report, Table
from benchmarks.vendors import FINGERPRINT_KEY, Vendors, run_vendors

WORKERS = (1, 2, 4)
WINDOWS = 2  # of each kind, in each turn
CYCLES = 2
HARD = PRESSED._replace(items=800)
# Shares of a core: beyond the first a process is busy throughout; beyond the second, of all, nothing more fits beside
# the load and the stubs.
ALL_OF_A_PROCESS, ALL_OF_THE_MACHINE = 0.85, 0.75


async def measure(houses: Sequence[Environment], calibration: Calibration, report: Report, _turns: int) -> None:
    """Serve with each number of workers by turns, on every side."""
    async with run_vendors(houses[0].folder) as vendors:
        for _ in range(CYCLES):
            for workers in WORKERS:
                for house, figures in zip(houses, report.figures, strict=False):
                    house.telnyx_url = vendors.url
                    await _press(house, vendors, figures, workers)
                    calibration.take()
    for house, figures in zip(houses, report.figures, strict=False):
        await house.forget()
        _tell(house.checkout.name_commit(), figures, report)


async def _press(house: Environment, vendors: Vendors, figures: Figures, workers: int) -> None:
    async with house.serve(workers=workers, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
        meter = Meter(house, gateway, vendors, await house.postmaster())
        await meter.check(RIGHT, await meter.send(HARD), HARD)
        meter.figures.clear()
        for _ in range(WINDOWS):
            await meter.check(RIGHT, await meter.send(HARD), HARD)
        merge(figures, meter.figures, _of(workers, ""))


def _of(workers: int, name: str) -> str:
    return f"{workers} worker{'s' if workers > 1 else ''}, {name}"


def _tell(commit: str, figures: Figures, report: Report) -> None:
    heads = ["", "a second, best", "median", "CPU ms, service", "PostgreSQL", "cores, service", "PostgreSQL", "binds"]
    table = Table(f"Several workers, {os.cpu_count()} cores for everything, {commit}", heads)
    for operation, speed in ((SEND, SENDS), (RIGHT, CHECKS)):
        for workers in WORKERS:
            rate = figures[_of(workers, speed)]
            costs = [figures[_of(workers, name_cost(operation, HARD, part))].median for part in (SERVICE, POSTGRES)]
            cores = [cost * rate.median / 1_000 for cost in costs]
            table.add(
                _of(workers, operation),
                f"{rate.best:.0f}",
                f"{rate.median:.0f}",
                *(f"{one:.2f}" for one in (*costs, *cores)),
                name_bound(workers, *cores),
            )
    report.show(table)


def name_bound(workers: int, service: float, postgres: float) -> str:
    """Name what binds, from the cores that each side uses."""
    if service + postgres >= ALL_OF_THE_MACHINE * (os.cpu_count() or 1):
        return "the machine's cores"
    if service >= ALL_OF_A_PROCESS * workers:
        return "the service's processes"
    return "waiting: commits, locks, slots, or other work on this machine"
