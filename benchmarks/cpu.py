"""CPU time of whole processes, of a whole PostgreSQL, and of a loop that always does the same.

Read by every measurement here. Linux only: a process's clock is read by its id, in nanoseconds, threads included.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import children_of

Clock = Callable[[], float]

TICK = os.sysconf("SC_CLK_TCK")
ROUNDS, SPAN = 40_000, 1 << 16


def of_process(pid: int) -> Clock:
    """Return a clock of one process's CPU, user and system, in seconds."""
    clock = (~pid << 3) | 2  # CLOCK_PROCESS_CPUTIME_ID of another process, see clock_getcpuclockid(3)
    return lambda: time.clock_gettime(clock)


def of_family(pid: int) -> Clock:
    """Return a clock of a process, its children, and those of them that have ended: PostgreSQL's, or all workers'."""

    def read() -> float:
        return sum(map(_read_clock, (pid, *children_of(pid)))) + sum(map(int, _stat(pid)[13:15])) / TICK

    return read


def _read_clock(pid: int) -> float:
    try:
        return of_process(pid)()
    except OSError:  # it has ended since it was listed, and its parent has its time
        return 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat that follow the process's name: state, ppid, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Calibration:
    """How long this machine takes for the same work, again and again: what neighbours cost us."""

    def __init__(self) -> None:
        """Take a first reading."""
        self.readings: list[float] = []
        self._held = dict.fromkeys(range(SPAN), "")
        self.take()

    def take(self) -> None:
        """Do the work once, and note the CPU that it took in ms."""
        begun = time.process_time()
        place = 1
        for _ in range(ROUNDS):
            place = place * 69_069 % SPAN | 1  # from one end of some megabytes to the other: caches are shared too
            self._held[place] = str(place)
        self.readings.append((time.process_time() - begun) * 1_000)

    def tell(self) -> str:
        """Summarise the readings."""
        ordered = sorted(self.readings)
        least, median, most = ordered[0], ordered[len(ordered) // 2], ordered[-1]
        return (
            f"a loop that always does the same took {least:.1f} ms of CPU at best, "
            f"{median / least:.2f} times that in the median and {most / least:.2f} times at worst"
        )
