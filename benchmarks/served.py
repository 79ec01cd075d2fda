"""`verify-gateway serve` with two knobs that only a measurement has: `python -m benchmarks.served SLOTS FILE PORT`.

SLOTS: how many sends it makes at once. 0 leaves every send to other processes, so that what it spends is spent on
answering. FILE: where the samples of benchmarks.sampler go, "-" for none. Started by benchmarks.environment alone.
"""

from __future__ import annotations

import sys

from benchmarks import sampler
from service import app
from service.cli.serving import serve


def main(slots: str, file: str, port: str) -> None:
    """Serve until the process is ended."""
    app.SLOTS = int(slots)
    if file != "-":
        sampler.start(file)
    serve.main(["--port", port], standalone_mode=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
