"""`make chaos`: `python -m tests.chaos [--seed N] [--seconds 600]`. Exit status 1 for a ledger that does not balance.

Everything that it starts ends with it, also on SIGINT and SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import write_report
from tests.chaos.run import Outcome, run


def main() -> int:
    """Run once, print the ledger, and say whether it balances."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=600.0)
    given = parser.parse_args()
    print(
        f"Seed {given.seed}. Again with: make chaos ARGS='--seed {given.seed} --seconds {given.seconds:g}'", flush=True
    )
    folder = Path(tempfile.mkdtemp(prefix="verify-gateway-chaos-"))
    folder.chmod(0o711)  # root's server runs in another account's name
    outcome: Outcome | None = None
    try:
        outcome = asyncio.run(_run(given.seed, given.seconds, folder))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 130
    finally:
        if outcome is None or outcome.imbalances:
            print(f"The logs of all processes are in {folder}.", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(write_report(outcome))
    return 1 if outcome.imbalances else 0


async def _run(seed: int, seconds: float, folder: Path) -> Outcome:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(seed, seconds, folder, lambda text: print(text, flush=True))


if __name__ == "__main__":
    sys.exit(main())
