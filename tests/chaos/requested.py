"""Requests against rows: a 202 is one row, a 503 and every other refusal is none, a key is one row at most.

Checks of the balance. Pure. Only a request without any answer may be a row or not: nobody was told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.findings import Imbalance
from tests.chaos.records import Call

LAWFUL = {
    "request": {202, 409, 429, 503},
    "fallback": {202, 409, 429, 503},
    "verify": {200, 409, 429, 503},
    "cancel": {200, 409, 503},
}


def count_accepted(evidence: Evidence) -> int:
    return sum(call.status == 202 for call in evidence.requests)


def count_refused(evidence: Evidence) -> int:
    return sum(call.status == 503 for call in evidence.requests)


def count_keys(evidence: Evidence) -> int:
    return len({call.idem for call in evidence.requests if call.idem is not None})


def find_lost(evidence: Evidence) -> Iterator[Imbalance]:
    """202s whose row is missing, or is another's; rows told to two requests without a key in common."""
    told: dict[str, Call] = {}
    for call in evidence.requests:
        if call.status != 202 or call.verification is None:
            continue
        row, source = evidence.rows.get(call.verification), call.source
        if row is None:
            yield Imbalance("answered 202 and lost: there is no row", call.verification, source.phone)
        elif (row.client, row.phone, row.deliver) != (source.client, source.phone, source.deliver):
            yield Imbalance("the row is not what was requested", call.verification, source.phone)
        other = told.setdefault(call.verification, call)
        if other is not call and (call.idem is None or other.idem != call.idem):
            yield Imbalance("one row was told to two requests", call.verification, source.phone)


def find_uninvited(evidence: Evidence) -> Iterator[Imbalance]:
    """Rows that no 202 tells of, beyond those that requests without an answer may have made."""
    told = {call.verification for call in evidence.requests if call.status == 202}
    requests: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in evidence.requests:
        requests[call.source.client, call.source.phone].append(call)
    for whose, rows in evidence.rows_of.items():
        more = [row for row in rows if row.id not in told]
        calls = requests[whose]
        unclear, owed = sum(call.unclear() for call in calls), sum(evidence.may_owe(call) for call in calls)
        if len(more) > unclear:
            statuses = [call.status for call in calls]
            text = f"{len(more)} rows that nobody was told of; the calls for it were answered {statuses}"
            documented = "0019: killed before it took it back" if len(more) <= unclear + owed else ""
            if len(more) <= unclear + _count_bound(calls):
                documented = "0019: bound by its key to tries that were told 503"
            yield Imbalance(text, more[-1].id, whose[1], documented)


def _count_bound(calls: list[Call]) -> int:
    """Count the keys under which two tries or more were told 503, and none 202: each may be a row, for the next try."""
    told: dict[str, list[int | None]] = defaultdict(list)
    for call in calls:
        if call.idem is not None:
            told[call.idem].append(call.status)
    return sum(statuses.count(503) > 1 and 202 not in statuses for statuses in told.values())


def find_repeated(evidence: Evidence) -> Iterator[Imbalance]:
    """Keys under which more than one row was made, as far as nobody else asked for the number."""
    keyed: dict[str, list[Call]] = defaultdict(list)
    for call in evidence.requests:
        if call.idem is not None:
            keyed[call.idem].append(call)
    asked = {(call.source.phone, call.idem or call.story) for call in evidence.requests}
    of_number = Counter(phone for phone, _ in asked)
    for calls in keyed.values():
        source = calls[0].source
        ids = {call.verification for call in calls if call.status == 202}
        rows = evidence.rows_of.get((source.client, source.phone), [])
        if len(ids) > 1 or (of_number[source.phone] == 1 and len(rows) > 1):
            yield Imbalance("one Idempotency-Key made several rows", rows[-1].id if rows else None, source.phone)


def find_odd_answers(evidence: Evidence) -> Iterator[Imbalance]:
    """Answers that no caller of these should ever see, a 500 above all."""
    for call in evidence.calls:
        if call.status is not None and call.status not in LAWFUL[call.kind]:
            yield Imbalance(f"{call.kind} was answered {call.status}", call.verification, call.source.phone)
