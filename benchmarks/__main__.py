"""`make bench`: `python -m benchmarks [PART...]`, by default all measurements.

Takes about a quarter of an hour, and prints Markdown. What the figures mean, and how they are taken, is in
docs/benchmarks.md.
"""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from benchmarks import admission, callbacks, decisions, delays, sends, silence
from benchmarks.cpu import Calibration
from benchmarks.environment import Environment, open_gateway
from benchmarks.report import Report

Part = Callable[[Environment, Calibration, Report], Awaitable[None]]

PARTS: dict[str, Part] = {
    "admission": admission.measure,
    "sends": sends.measure,
    "delays": delays.measure,
    "silence": silence.measure,
    "decisions": decisions.measure,
    "callbacks": callbacks.measure,
}
# These stand alone: every variant that they measure runs in a process of its own.
OTHERS = ("outbound", "devices")


async def measure(names: Sequence[str], report: Report) -> None:
    """Measure parts of the gateway, and print the results."""
    calibration = Calibration()
    async with open_gateway() as environment:
        ask = environment.database.pool.fetchval
        version, fsync = await ask("show server_version"), await ask("show fsync")
        print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}, PostgreSQL {version}, fsync {fsync}.\n")
        for name in names:
            begun = time.monotonic()
            await PARTS[name](environment, calibration, report)
            print(f"({name}: {time.monotonic() - begun:.0f} s)\n", flush=True)
    print(f"Calibration: {calibration.tell()}.\n")


def main(names: Sequence[str]) -> int:
    """Run the parts named; the first failure ends it."""
    begun, report = time.monotonic(), Report()
    if unknown := set(names) - PARTS.keys() - set(OTHERS):
        print(f"There is no {', '.join(unknown)}: choose from {', '.join([*PARTS, *OTHERS])}.", file=sys.stderr)
        return 2
    if parts := [name for name in names if name in PARTS]:
        asyncio.run(measure(parts, report))
    for name in names:
        if name in OTHERS:
            print(f"### {name}\n", flush=True)
            if status := subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
                return status
            print(flush=True)
    if parts:
        report.close()
    print(f"All took {time.monotonic() - begun:.0f} s; load of the machine now: {os.getloadavg()[0]:.1f}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*PARTS, *OTHERS]))
