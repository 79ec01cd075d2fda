"""Makes what takes long to make or to import: in a thread, once, when it is first needed.

Called by the providers that go through a vendor's package, and by api.console.pages. On the event loop it would hold up
every other request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LoadedOnce(Generic[T]):
    """One thing, made when it is first asked for; one that could not be made is tried again by the next."""

    def __init__(self, load: Callable[[], T]) -> None:
        """Load nothing yet."""
        self._load = load
        self._loading = asyncio.Lock()
        self._loaded: T | None = None

    async def get(self) -> T:
        """Return it; the first waits until it is loaded, and the others with it."""
        async with self._loading:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(self._load)
            return self._loaded
