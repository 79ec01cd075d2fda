"""Sliding windows, computed again from what was answered 202: an own small model beside the gateway's counters.

Checks of the balance. Pure. Places are those of rows that a caller was told of and of fallbacks that were answered;
what was not answered may count as well, so the model can only count too little, never accuse wrongly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.chaos.evidence import Evidence
from tests.chaos.findings import Imbalance
from tests.chaos.policy import LIMITS
from tests.chaos.records import Source

# Times of one subject differ at least; those of the row and of its place in the count may by this (seconds).
SLACK = 0.001
Place = tuple[datetime, str, str]  # when, by which client, for which verification
# A source that verified a number counts apart. It is known when that is committed, which may be so long after it was
# stamped: what was asked meanwhile is in neither count here.
BECOMES_KNOWN = timedelta(seconds=10)


def list_places(evidence: Evidence) -> dict[tuple[str, str], list[Place]]:
    """List the places taken in each subject, in order of time."""
    found: dict[tuple[str, str], set[Place]] = defaultdict(set)
    known = _find_known(evidence)
    for call in evidence.requests:
        row, source = evidence.rows.get(call.verification or ""), call.source
        if call.status != 202 or row is None:
            continue
        place = (row.created_at, source.client, row.id)
        fallbacks = [
            (send.wanted_at, source.client, row.id) for send in evidence.sends_of[row.id] if send.cause == "press"
        ]
        found["ip", source.address].update([place, *fallbacks])
        since = known.get(_name(source))
        if since is not None and since <= row.created_at < since + BECOMES_KNOWN:
            continue
        own = " ".join(_name(source)) if since is not None and since <= row.created_at else None
        found["phone", own or f"{source.client} {source.phone}"].update([place, *fallbacks])
        if source.account is not None:
            found["account", own or f"{source.client} {source.account}"].add(place)
    return {subject: sorted(places) for subject, places in found.items()}


def _name(source: Source) -> tuple[str, str, str]:
    """Name what may be known. In a run an account always comes from one address."""
    return source.client, source.phone, source.account or source.address


def _find_known(evidence: Evidence) -> dict[tuple[str, str, str], datetime]:
    """Find since when each source is known that ever verified its number."""
    found: dict[tuple[str, str, str], datetime] = {}
    for call in evidence.requests:
        row = evidence.rows.get(call.verification or "")
        if row is not None and row.status == "verified" and row.closed_at is not None:
            name = _name(call.source)
            found[name] = min(row.closed_at, found.get(name, row.closed_at))
    return found


def count_places(evidence: Evidence) -> int:
    return sum(map(len, list_places(evidence).values()))


def find_passed(evidence: Evidence) -> Iterator[Imbalance]:
    """Places that were taken while a window was full."""
    for (kind, subject), places in list_places(evidence).items():
        for position, (at, client, verification) in enumerate(places):
            for most, seconds in LIMITS[client][kind]:
                before = places[position - most] if position >= most else None
                if before is not None and (at - before[0]).total_seconds() < seconds - SLACK:
                    text = f"{kind} {subject}: more than {most} in {seconds} s"
                    yield Imbalance(text, verification)


def count_alone(evidence: Evidence) -> int:
    return len(_list_alone(evidence))


def find_wronged(evidence: Evidence) -> Iterator[Imbalance]:
    """429 for somebody whose number and address nobody else uses, and who has asked less often than any limit."""
    for phone, calls in _list_alone(evidence).items():
        if len(calls) <= min(most for windows in LIMITS[calls[0]].values() for most, _ in windows):
            refused = [c for c in evidence.requests if c.source.phone == phone and c.status == 429]
            if refused:
                yield Imbalance("429 below every limit", phone=phone)


def _list_alone(evidence: Evidence) -> dict[str, list[str]]:
    """List, by number, the clients of the requests for it, where no other story shares number or address."""
    stories: dict[str, set[int]] = defaultdict(set)
    for call in evidence.requests:
        stories[call.source.phone].add(call.story)
        stories[call.source.address].add(call.story)
    found: dict[str, list[str]] = defaultdict(list)
    for call in evidence.requests:
        if len(stories[call.source.phone]) == len(stories[call.source.address]) == 1:
            found[call.source.phone].append(call.source.client)
    return found
