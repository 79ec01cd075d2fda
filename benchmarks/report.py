"""What `make bench` prints: tables as Markdown, and the figures that have an aim beside it; and what it keeps.

Filled by every measurement. What is printed goes into docs/benchmarks.md as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.figures import Figure, Figures


class Table:
    """A heading and rows under it."""

    def __init__(self, title: str, heads: Sequence[str]) -> None:
        self._title = title
        self._rows = [list(heads), ["---"] * len(heads)]

    def add(self, *cells: str) -> None:
        """Add a row."""
        self._rows.append(list(cells))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._rows) - 2

    def write(self) -> str:
        """Write it down."""
        return "\n".join([f"### {self._title}", "", *(f"| {' | '.join(row)} |" for row in self._rows), ""])


class Report:
    """Prints tables as they come, and in the end every figure that has an aim.

    `figures`: all that were taken, of this checkout and of the one beside it.
    """

    def __init__(self) -> None:
        self.figures: tuple[Figures, Figures] = ({}, {})
        self._aims = Table("Figures and aims", ["", "figure", "aim", "figure / aim"])

    def show(self, table: Table) -> None:
        """Print one table."""
        print(table.write(), flush=True)

    def aim(
        self, name: str, figure: float, aim: float, unit: str, *, least: bool = False, windows: Sequence[float] = ()
    ) -> None:
        """Keep a figure that is to be `aim` at most, or at least. `windows`: the values that it was found from."""
        self.figures[0][name] = Figure(unit, list(windows) or [figure], least)
        met = figure >= aim if least else figure <= aim
        words = f"{'at least' if least else 'at most'} {aim:g} {unit}"
        self._aims.add(name, f"{figure:.3g} {unit}", words, f"{figure / aim:.2f}{'' if met else ' (missed)'}")

    def close(self) -> None:
        """Print what was aimed at, if anything was."""
        if self._aims.rows:
            self.show(self._aims)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
