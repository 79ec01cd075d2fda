"""Tells at the end of a period in which a client's rules only observed what they would have stopped.

Run by worker.alarms in its round. A report that takes too long is left to whoever reads the alert: it must not hold up
the other alerts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from service.errors import Unavailable
from service.operators.reports.observations import Observation, Observations, word_report

# An end is told of for so long: a service that was down at that moment still tells of it.
TOLD_FOR = timedelta(hours=1)
# Seconds that a report may hold up the other alerts, once at the end of a period: some 500,000 requests.
REPORT_LIMIT = 25.0
UNCOUNTED = "`verify-gateway policy outcomes` tells what the rules would have stopped."


class ObservedClients:
    """The periods that ended just now, each worded once by a process."""

    def __init__(self, observations: Observations, now: Callable[[], datetime | None]) -> None:
        """`now`: as in Store."""
        self._observations = observations
        self._now = now
        self._known: dict[str, str | None] = {}

    async def find(self) -> dict[str, str]:
        """Return a sentence for each client whose period ended just now, by the incident's kind. Raises Unavailable."""
        now = self._now() or datetime.now(UTC)
        ended = [one for one in await self._observations.list() if now - TOLD_FOR < one.until <= now]
        known, self._known = self._known, {}
        for one in ended:
            kind = f"observed {one.client}"
            self._known[kind] = known[kind] if kind in known else await self._word(one)
        return {kind: text for kind, text in self._known.items() if text}

    async def _word(self, one: Observation) -> str | None:
        """Word the end of a period; None if nothing was requested in it, as by a client of operators' keys."""
        try:
            report = await self._observations.report(one)
            told = word_report(report) if report.numbers else None
        except Unavailable:
            told = UNCOUNTED
        return told and f"The rules of {one.client} are enforced from now on; until now they only observed. {told}"
