"""What became of those whom rules stopped, over the widest window that can be read in time.

Called by api.services. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from service.errors import Unavailable
from service.operators.reports.outcomes import Outcome, Outcomes

WINDOWS = (timedelta(days=7), timedelta(days=1), timedelta(hours=6), timedelta(hours=1))


class Measured(msgspec.Struct, frozen=True):
    """One measurement. `window`: how far back, None where even the shortest took too long."""

    window: timedelta | None
    outcomes: Sequence[Outcome]


async def measure(outcomes: Outcomes) -> Measured:
    """Read the outcomes."""
    for window in WINDOWS:
        try:
            return Measured(window, await outcomes.read(window))
        except Unavailable:  # it takes too long, or the database is away
            continue
    return Measured(None, [])
