"""`make bench`: `python -m benchmarks [PART...]`, by default all measurements.

Takes about twenty minutes, prints Markdown, and keeps the figures as JSON. What they mean, how they are taken and
how two runs are compared, is in docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from statistics import median

from benchmarks import (
    admission,
    breakdown,
    callbacks,
    comparison,
    decisions,
    delays,
    figures,
    history,
    options,
    sends,
    silence,
    starts,
    workers,
)
from benchmarks.checkouts import Checkout
from benchmarks.cpu import Calibration
from benchmarks.environment import Environment, open_gateway
from benchmarks.figures import About, Run
from benchmarks.options import Options
from benchmarks.report import Report

Part = Callable[[Environment, Calibration, Report], Awaitable[None]]
SidedPart = Callable[[Sequence[Environment], Calibration, Report, int], Awaitable[None]]

PARTS: dict[str, Part] = {
    "breakdown": breakdown.measure,
    "admission": admission.measure,
    "delays": delays.measure,
    "silence": silence.measure,
    "decisions": decisions.measure,
    "history": history.measure,
    "callbacks": callbacks.measure,
}
# These can play another checkout beside this one.
SIDED: dict[str, SidedPart] = {"starts": starts.measure, "sends": sends.measure, "workers": workers.measure}
# These stand alone: every variant that they measure runs in a process of its own.
OTHERS = ("outbound", "devices")


async def measure(chosen: Options, report: Report) -> list[About]:
    """Measure parts of the gateway, and print the results. Return what was measured: this, and what is beside it."""
    calibration = Calibration()
    checkouts = [Checkout(), *([Checkout(chosen.beside)] if chosen.beside else [])]
    async with AsyncExitStack() as running:
        houses = [await running.enter_async_context(open_gateway(checkout)) for checkout in checkouts]
        abouts = [await house.describe() for house in houses]
        print("\n".join(about.tell() for about in abouts), end="\n\n")
        for name in (name for name in chosen.parts if name not in OTHERS):
            begun = time.monotonic()
            if name in SIDED:
                await SIDED[name](houses, calibration, report, chosen.turns)
            else:
                await PARTS[name](houses[0], calibration, report)
            print(f"({name}: {time.monotonic() - begun:.0f} s)\n", flush=True)
    print(f"Calibration: {calibration.tell()}.\n")
    for about in abouts:
        about.calibration = calibration.readings
    return abouts


def conclude(chosen: Options, report: Report, abouts: Sequence[About]) -> None:
    """Keep the run, and print how it compares."""
    run, *others = (Run(about, kept) for about, kept in zip(abouts, report.figures, strict=False))
    if others:
        run.beside = others[0]
        changes = comparison.compare(run.beside.figures, run.figures, in_turns=True)
        report.show(comparison.tabulate(f"{run.about.commit} beside {run.beside.about.commit}", changes))
    if chosen.against:
        kept = figures.read(chosen.against)
        drift = median(run.about.calibration) / median(kept.about.calibration)
        print(f"Before: {kept.about.tell()} The loop took {drift:.2f} times as long now.\n")
        changes = comparison.compare(kept.figures, run.figures, drift=drift)
        report.show(comparison.tabulate(f"Against {kept.about.commit}", changes))
    figures.write(run, chosen.json)
    print(f"Kept as {chosen.json}.")


def main(words: Sequence[str]) -> int:
    """Run the parts named; the first failure ends it."""
    begun, report = time.monotonic(), Report()
    chosen = options.read(words, [*SIDED, *PARTS, *OTHERS], SIDED)
    abouts = asyncio.run(measure(chosen, report)) if set(chosen.parts) - set(OTHERS) else []
    for name in chosen.parts:
        if name in OTHERS:
            print(f"### {name}\n", flush=True)
            if status := subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
                return status
            print(flush=True)
    if abouts:
        report.close()
        conclude(chosen, report, abouts)
    print(f"All took {time.monotonic() - begun:.0f} s; load of the machine now: {os.getloadavg()[0]:.1f}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
