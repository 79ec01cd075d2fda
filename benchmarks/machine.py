"""Which core works for whom, and what memory a process holds. Linux only.

Used by the measurements that compare costs: what is measured has a core to itself, the load and the vendors have the
others. Pins only processes that the measurements started.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Cores = set[int]


@contextmanager
def share_cores() -> Iterator[Cores]:
    """Return the cores for what is measured; while the context is open, this process has the others.

    So has what it starts. On one core nobody is pinned.
    """
    all_of_them = os.sched_getaffinity(0)
    measured, *others = sorted(all_of_them)
    if not others:
        print("There is one core only: the load and the vendors take their share of it.\n")
        yield all_of_them
        return
    os.sched_setaffinity(0, others)
    try:
        yield {measured}
    finally:
        os.sched_setaffinity(0, all_of_them)


def pin(pid: int, cores: Cores) -> None:
    """Have a process, its children and what they start run on these cores."""
    for one in (pid, *children_of(pid)):
        os.sched_setaffinity(one, cores)


def memory_of(pid: int) -> float:
    """Return the MB of a process and its children that are in memory."""
    return sum(_read_resident(one) for one in (pid, *children_of(pid))) / 1_024


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started, by any of its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]


def _read_resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
