"""On what the process spends a send and a check, 200 a second: `python -m benchmarks breakdown`.

Sampled inside a served process by benchmarks.sampler, whose own cost makes it unfit for the figures of
benchmarks.sends.
"""

from __future__ import annotations

from collections import Counter

from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.meter import BUSY, RIGHT, SEND, SERVICE, Meter, name_cost
from benchmarks.report import Report, Table
from benchmarks.vendors import FINGERPRINT_KEY, run_vendors

WINDOWS = 5


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Sample windows of each, by turns."""
    found: dict[str, Counter[str]] = {SEND: Counter(), RIGHT: Counter()}
    async with run_vendors(environment.folder) as vendors:
        environment.telnyx_url = vendors.url
        async with environment.serve(sampled=True, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
            meter = Meter(environment, gateway, vendors, await environment.postmaster())
            await meter.check(RIGHT, await meter.send(BUSY), BUSY)
            meter.figures.clear()
            await gateway.sample()
            for _ in range(WINDOWS):
                rows = await meter.send(BUSY)
                found[SEND].update(await gateway.sample())
                await meter.check(RIGHT, rows, BUSY)
                found[RIGHT].update(await gateway.sample())
                calibration.take()
    await environment.forget()
    costs = {name: meter.figures[name_cost(name, BUSY, SERVICE)].median for name in found}
    table = Table(
        f"On what the service spends it, {BUSY.name} ({BUSY.items * WINDOWS} of each, sampled)",
        ["CPU ms (share)", *found],
    )
    for part, _ in sum(found.values(), Counter[str]()).most_common():
        shares = {name: counts[part] / counts.total() for name, counts in found.items()}
        table.add(part, *(f"{share * costs[name]:.2f} ({share:.0%})" for name, share in shares.items()))
    report.show(table)
