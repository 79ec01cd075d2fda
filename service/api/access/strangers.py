"""Counts unknown keys by address: after too many, the address gets 429 before anything is looked up.

Made by services, for authentication. Kept in the process and forgotten after a minute: it protects the service's own
work, and promises nothing. A valid key is never affected by what others at its address did.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from service.errors import Limited

# Refused keys that one address may bring within the window (seconds), and how many addresses are remembered.
MOST = 30
WINDOW = 60.0
REMEMBERED = 10_000


class Strangers:
    """Counts refused keys by address (IPv6 by /64)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, network: str) -> None:
        """Raise Limited if an address has brought too many."""
        since, count = self._seen.get(network, (0.0, 0))
        left = since + WINDOW - self._clock()
        if count >= MOST and left > 0:
            raise Limited(left)

    def note(self, network: str) -> None:
        """Count a key that was refused."""
        now = self._clock()
        # Taken out and put back at the end: dropped in order of their first key, busy attackers would be forgotten
        # first.
        since, count = self._seen.pop(network, (now, 0))
        self._seen[network] = (since, count + 1) if now - since < WINDOW else (now, 1)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
