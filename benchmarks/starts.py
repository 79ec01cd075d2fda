"""How long `serve` takes until it is ready, and what memory it then holds: `python -m benchmarks starts`.

From the start of the process to the first good answer of /readyz, which is asked every 50 ms; on all cores, with
nothing else to do. The database is up and its schema is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.figures import note
from benchmarks.machine import memory_of
from benchmarks.report import Report, Table
from benchmarks.vendors import FINGERPRINT_KEY, run_vendors

READY, MEMORY = "serve is ready after", "memory of the service once it is ready"


async def measure(houses: Sequence[Environment], calibration: Calibration, report: Report, turns: int) -> None:
    """Start every side's by turns."""
    async with run_vendors(houses[0].folder) as vendors:
        for _ in range(turns):
            for house, figures in zip(houses, report.figures, strict=False):
                house.telnyx_url = vendors.url
                async with house.serve(FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
                    note(figures, READY, gateway.ready_after, "s")
                    note(figures, MEMORY, memory_of(gateway.pid), "MB")
            calibration.take()
    table = Table("Starts", ["", READY + ", s: median", "best", MEMORY + ", MB"])
    for house, figures in zip(houses, report.figures, strict=False):
        ready = figures[READY]
        cells = (f"{ready.median:.2f}", f"{ready.best:.2f}", f"{figures[MEMORY].median:.0f}")
        table.add(house.checkout.name_commit(), *cells)
    report.show(table)
