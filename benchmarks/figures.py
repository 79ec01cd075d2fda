"""What a run measured, window by window, and on what: kept as JSON, so that a later run can be compared with it.

Filled through benchmarks.report and compared by benchmarks.comparison. Knows nothing of how anything is measured.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import msgspec


class Figure(msgspec.Struct):
    """One figure: a value for each window in which it was taken. `more`: more of it is better."""

    unit: str
    windows: list[float] = []
    more: bool = False

    @property
    def median(self) -> float:
        """The middle of the windows."""
        return median(self.windows)

    @property
    def best(self) -> float:
        """The best window: neighbours on the machine can only make the others worse."""
        return max(self.windows) if self.more else min(self.windows)


Figures = dict[str, Figure]


class About(msgspec.Struct, kw_only=True):
    """What was measured, and where. `calibration`: CPU ms of a loop that always does the same, at each reading."""

    commit: str
    python: str
    postgres: str
    fsync: str
    cpus: int
    load: float
    calibration: list[float] = []

    def tell(self) -> str:
        """Say it in a line."""
        return (
            f"{self.commit}: {self.cpus} CPUs (load {self.load:.1f}), Python {self.python}, "
            f"PostgreSQL {self.postgres}, fsync {self.fsync}."
        )


class Run(msgspec.Struct):
    """One run. `beside`: another checkout's, measured in the same sitting."""

    about: About
    figures: Figures
    beside: Run | None = None


def describe(commit: str, postgres: str, fsync: str) -> About:
    """Say what this machine is like now."""
    return About(
        commit=commit, python=platform.python_version(), postgres=postgres, fsync=fsync, cpus=os.cpu_count() or 0,
        load=os.getloadavg()[0],
    )  # fmt: skip


def write(run: Run, file: Path) -> None:
    """Keep a run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")


def read(file: Path) -> Run:
    """Read what `write` kept. Raises OSError and msgspec.MsgspecError."""
    return msgspec.json.decode(file.read_bytes(), type=Run)


def note(figures: Figures, name: str, value: float, unit: str, *, more: bool = False) -> None:
    """Add one window's value."""
    figures.setdefault(name, Figure(unit, [], more)).windows.append(value)


def note_all(figures: Figures, name: str, values: Iterable[float], unit: str, *, more: bool = False) -> None:
    """Add the values of several windows."""
    for value in values:
        note(figures, name, value, unit, more=more)


def merge(figures: Figures, others: Figures, before: str = "") -> None:
    """Add all windows of `others`, whose names are preceded by `before`."""
    for name, figure in others.items():
        note_all(figures, before + name, figure.windows, figure.unit, more=figure.more)
