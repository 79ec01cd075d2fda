"""What `python -m benchmarks` can be asked for: parts, another checkout beside this one, a run to compare with.

Read by benchmarks.__main__ alone.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

KEPT = Path("build/bench.json")
TURNS = 5


class Options(msgspec.Struct):
    """What was asked for. `parts`: by name, in their order."""

    parts: list[str]
    beside: Path | None
    turns: int
    json: Path
    against: Path | None


def read(words: Sequence[str], parts: Collection[str], sided: Collection[str]) -> Options:
    """Read the command's words, or say what is wrong with them and end. `sided`: the parts that can play two sides."""
    parser = ArgumentParser("python -m benchmarks", description="Measure what the gateway costs.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; by default all")
    parser.add_argument(
        "--beside", type=Path, metavar="PATH", help="play another checkout's gateway too, turn about: the ratios"
    )
    parser.add_argument("--turns", type=int, default=TURNS, help=f"how many windows of each kind (default: {TURNS})")
    parser.add_argument("--json", type=Path, default=KEPT, metavar="FILE", help=f"keep the figures (default: {KEPT})")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with a run that was kept: what moved")
    found = parser.parse_args(words)
    chosen = found.parts or list(sided if found.beside else parts)
    if unknown := [name for name in chosen if name not in parts]:
        parser.error(f"there is no {', '.join(unknown)}: choose from {', '.join(parts)}")
    if found.beside and (alone := [name for name in chosen if name not in sided]):
        parser.error(f"{', '.join(alone)} cannot be played beside another checkout: only {', '.join(sided)}")
    return Options(chosen, found.beside, found.turns, found.json, found.against)
