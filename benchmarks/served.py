"""`verify-gateway serve`, watched: `python -m benchmarks.served FILE ...`, with what `serve` takes after it.

FILE: where the samples of benchmarks.sampler go. Started by benchmarks.environment alone.
"""

from __future__ import annotations

import sys

from benchmarks import sampler
from service.cli.process.serving import serve


def main(file: str, *options: str) -> None:
    """Serve until the process is ended."""
    sampler.start(file)
    serve.main(list(options), standalone_mode=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
