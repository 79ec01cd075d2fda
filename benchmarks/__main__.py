"""`make bench`: every measurement that there is, one after the other, each in a process of its own.

What the figures mean, and what is not measured yet, is in docs/benchmarks.md.
"""

from __future__ import annotations

import subprocess
import sys

PARTS = ("outbound", "devices")


def main(names: list[str]) -> int:
    """Run the parts by name; the first failure ends it."""
    for name in names:
        print(f"\n== {name}", flush=True)
        if status := subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:  # noqa: S603 (our own modules)
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(PARTS)))
