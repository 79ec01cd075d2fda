"""What this process did: requests, sends, codes entered, requests refused by a limit, until a round stores the sums.

Filled by verification.sends (admission counts there too) and verification.checks; emptied by worker.activity_log. It
costs no round trip. A process that is killed loses its last two seconds, and no guarantee depends on them.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple, get_args
from uuid import UUID

Event = Literal["requests", "decoys", "sends", "suppressed", "limited"]
EVENTS: tuple[Event, ...] = get_args(Event)
# How many refused numbers are remembered between two rounds: a flood must not fill the memory, nor write a row for each
# number that it names. Beyond this, what was refused still counts in the sums.
MOST_REMEMBERED = 1000


class Counted(NamedTuple):
    """What is counted together. A refused request has no country and no channel: nobody looked at its number."""

    event: Event
    client: str
    country: str = ""
    channel: str = ""


class Activity:
    """One process's counts. Test clients' work is not told to it."""

    def __init__(self) -> None:
        self.counts = Counter[Counted]()
        self.refused = Counter[tuple[UUID, int]]()
        self.converted: set[UUID] = set()

    def note(self, event: Event, client: str, country: str | None, channel: str) -> None:
        """Count something that happened to a verification."""
        self.counts[Counted(event, client, country or "?", channel)] += 1

    def note_refused(self, client: str, client_id: int, phone_hash: UUID) -> None:
        """Count a request that a limit refused."""
        self.counts[Counted("limited", client)] += 1
        who = (phone_hash, client_id)
        if who in self.refused or len(self.refused) < MOST_REMEMBERED:
            self.refused[who] += 1

    def note_converted(self, verification: UUID) -> None:
        """Count a verification whose code was entered."""
        self.converted.add(verification)

    def take(self) -> Activity:
        """Return what was counted, and begin anew."""
        taken = Activity()
        taken.counts, self.counts = self.counts, taken.counts
        taken.refused, self.refused = self.refused, taken.refused
        taken.converted, self.converted = self.converted, taken.converted
        return taken

    def give_back(self, taken: Activity) -> None:
        """Take back what could not be stored."""
        self.counts += taken.counts
        self.refused += taken.refused
        self.converted |= taken.converted

    def __bool__(self) -> bool:
        """Say whether there is anything to store."""
        return bool(self.counts or self.refused or self.converted)
