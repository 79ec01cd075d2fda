"""What this process's decisions found, counted by client, country and rule until the alarm round stores it.

Filled by verification.sends, emptied by worker.alarms. Holds counts, countries and short words, nobody's number. A
process that is killed loses a few seconds of it: alerts are made of it, and no guarantee.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from service import telemetry
from service.fraud.decision import Decision

FIGURES = re.compile(r"\d[\d.,e+-]*")
LONGEST = 60


class Counted(NamedTuple):
    """What is counted together. `rule` is empty for the decisions themselves; `finding`: a detail without figures."""

    client: str
    country: str
    rule: str = ""
    mode: str = ""
    finding: str = ""


class Tally:
    """One process's counts."""

    def __init__(self) -> None:
        self._counts = Counter[Counted]()

    def note(self, client: str, decision: Decision) -> None:
        """Count the decision of a request, and each of its findings."""
        country = decision.facts.number.country or "?"
        self._counts[Counted(client, country)] += 1
        telemetry.decisions_of(client, country).inc()
        for one in decision.findings:
            finding = FIGURES.sub("…", one.detail)[:LONGEST]
            self._counts[Counted(client, country, one.rule, one.mode, finding)] += 1
            telemetry.OBJECTIONS.labels(client, country, one.rule, one.mode).inc()

    def take(self) -> Counter[Counted]:
        """Return what was counted, and forget it."""
        counts, self._counts = self._counts, Counter()
        return counts

    def give_back(self, counts: Counter[Counted]) -> None:
        """Take back what could not be stored."""
        self._counts.update(counts)
