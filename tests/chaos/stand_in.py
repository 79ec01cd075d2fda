"""Telnyx in a process of its own: `python -m tests.chaos.stand_in PORT LATENCY`, with its controls and inbox.

Started by tests.chaos.telnyx. It lives as long as the run: what it holds is what the ledger is balanced against.
"""

from __future__ import annotations

import sys

import uvicorn

from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx.app import create_telnyx
from service.sandbox.telnyx.service import SimulatedTelnyx, TelnyxSettings

SEED = b"0123456789abcdef0123456789abcdef"


def main(port: str, latency: str) -> None:
    """Serve until the process is ended."""
    stage = SandboxStage(dict.fromkeys(("send", "check", "state", "lookup"), float(latency)))
    app = create_telnyx(SimulatedTelnyx(TelnyxSettings(signing_seed=SEED)), stage)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
