"""One statement whose end may be unclear, asked about again for as long as its caller waits.

Called by verification.storage.store for what is not batched. Only for what answers the same when it is run twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.db.batch import Waiting
from service.errors import Unavailable, Unclear

T = TypeVar("T")

# Seconds between two questions what became of it.
ASK_EVERY = 0.2


async def insist(work: Callable[[], Awaitable[T]], limit: float, waiting: Waiting | None = None) -> T:
    """Run it, and again while nobody knows its end, `limit` seconds from the caller's coming.

    Raises what it raises; Unclear only where its end is unclear after all that.
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
            # This one was not done. The one before it may have been.
            if unclear is None:
                raise
        if clock() + ASK_EVERY > until:
            raise unclear
        await asyncio.sleep(ASK_EVERY)
