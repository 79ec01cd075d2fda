"""Waiting for what has to come, sooner or later.

Used by every test that does. Patient: a machine that is busy is no defect, and what comes at once costs no patience.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE = 60.0  # seconds


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, patience: float = PATIENCE) -> None:
    """Wait for a condition; AssertionError naming it when it does not come true."""
    end = time.monotonic() + patience
    while not (await met if isinstance(met := condition(), Awaitable) else met):
        assert time.monotonic() < end, f"it never came true that {what}"
        await asyncio.sleep(0.02)
