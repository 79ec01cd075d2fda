"""Runs a statement whose end may be unclear, again and again for as long as its caller waits.

Called by verification.storage.store and clients.store, for statements that are not batched. Only for those that return
the same when run twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.db.batch import Waiting
from service.errors import Unavailable, Unclear

T = TypeVar("T")

# Seconds between two attempts.
ASK_EVERY = 0.2


async def insist(work: Callable[[], Awaitable[T]], limit: float, waiting: Waiting | None = None) -> T:
    """Run it, and again while its end is unclear, until `limit` seconds after the caller came.

    Raises what it raises; Unclear only if its end is still unclear then.
    """
    clock = asyncio.get_running_loop().time
    # From the caller's coming, not from now: what waited before it has used up a part of the time.
    until = (waiting.since if waiting else clock()) + limit
    unclear: Unclear | None = None
    while True:
        try:
            return await work()
        except Unclear as error:
            unclear = error
        except Unavailable:
            # This attempt was not done, but an earlier one may have been.
            if unclear is None:
                raise
        if clock() + ASK_EVERY > until:
            raise unclear
        await asyncio.sleep(ASK_EVERY)
