"""Where a process's CPU goes, by part: looked at a few hundred times a second of CPU, from inside.

Started in the measured process by benchmarks.served; the parts are counted there and written down on SIGUSR2. A sample
under Fingerprint's call belongs to that, any other under a decision to the decision, any other to the innermost frame
whose file names a part; C counts for who called it.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import msgspec

EVERY = 0.001  # seconds of CPU; the kernel makes it a whole tick
# Innermost first: the first word found in a frame's path decides.
PARTS = {
    "phonenumbers": "numbering plan",
    "service/phone": "numbering plan",
    "structlog": "logs and metrics",
    "prometheus": "logs and metrics",
    "service/telemetry": "logs and metrics",
    "asyncpg": "database driver",
    "service/db": "database driver",
    "cryptography": "hashing and sealing",
    "service/vault": "hashing and sealing",
    "aiohttp": "call to Telnyx",
    "yarl": "call to Telnyx",
    "multidict": "call to Telnyx",
    "service/providers": "call to Telnyx",
    "service/api": "HTTP, ours",
    "service/verification": "flows",
    "service/worker": "worker's rounds",
    "litestar": "HTTP, Litestar",
    "uvicorn": "HTTP, uvicorn",
}
REST = "event loop"
DECISION, DECIDES = "decision", "service/fraud"
FINGERPRINT = "service/providers/fingerprint"


def start(file: str) -> None:
    """Count from now on; SIGUSR2 writes the counts to `file` and begins anew."""
    counts: Counter[str] = Counter()

    def look(_signal: int, frame: FrameType | None) -> None:
        counts[name_part(frame)] += 1

    def write(_signal: int, _frame: FrameType | None) -> None:
        draft = Path(f"{file}.draft")
        draft.write_bytes(msgspec.json.encode(counts))
        counts.clear()
        draft.rename(file)

    signal.signal(signal.SIGPROF, look)
    signal.signal(signal.SIGUSR2, write)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)


def name_part(frame: FrameType | None) -> str:
    """Name the part that a frame works for."""
    paths = list(_paths(frame))
    if any(FINGERPRINT in path for path in paths):
        return "call to Fingerprint"
    if any(DECIDES in path for path in paths):
        return DECISION
    return next((part for path in paths for word, part in PARTS.items() if word in path), REST)


def _paths(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back
