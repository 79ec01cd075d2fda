"""How verifications ended: each state has its cause in a call, a compared code or the clock, and leaves no rest.

Checks of the balance. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Row
from tests.chaos.findings import Imbalance
from tests.chaos.records import Call, CallKind


def find_unsettled(evidence: Evidence) -> Iterator[Imbalance]:
    """What was still under way when patience ended."""
    for name, many in evidence.unsettled.items():
        yield Imbalance(f"{many} {name} never came to an end")


def count_verified(evidence: Evidence) -> int:
    return sum(row.status == "verified" for row in evidence.rows.values())


def find_wrong_ends(evidence: Evidence) -> Iterator[Imbalance]:
    """Verified without a code that Telnyx took, or not verified with one; and callers who were told otherwise."""
    holder = {send.provider_id: send.verification for send in evidence.sends if send.provider_id is not None}
    taken = {holder.get(held.id) for held in evidence.held if held.status == "accepted"}
    for row in evidence.rows.values():
        if row.status == "verified" and row.id not in taken:
            yield Imbalance("verified, though Telnyx took no code", row.id, row.phone)
        if row.status in ("pending", "expired", "locked") and row.id in taken:
            yield Imbalance(f"{row.status}, though Telnyx took its code", row.id, row.phone)
    for call in evidence.calls:
        known = evidence.rows.get(call.verification or "")
        if call.verified and (known is None or known.status != "verified"):
            yield Imbalance("the caller was told verified, and it is not", call.verification, call.source.phone)


def count_steps(evidence: Evidence) -> int:
    return sum(row.status == "canceled" or len(row.used) > 1 for row in evidence.rows.values())


def find_unasked(evidence: Evidence) -> Iterator[Imbalance]:
    """Canceled or on another channel although each call for that was refused; or answered as done, and not there."""
    for row in evidence.rows.values():
        cancels, fallbacks = (_calls_for(evidence, row, kind) for kind in ("cancel", "fallback"))
        if row.status == "canceled" and not any(_may_have_worked(call, 200) for call in cancels):
            documented = "0019: a cancel is not undone" if any(call.status == 503 for call in cancels) else ""
            yield Imbalance("canceled, and nobody was told so", row.id, row.phone, documented)
        if row.status != "canceled" and any(call.status == 200 for call in cancels):
            yield Imbalance(f"answered canceled, and is {row.status}", row.id, row.phone)
        more, told = len(row.used) - 1, sum(call.status == 202 for call in fallbacks)
        worked = sum(_may_have_worked(call, 202) for call in fallbacks)
        if not told <= more <= worked:
            text = f"{more} fallbacks are counted, {told} of {len(fallbacks)} calls were answered 202"
            owed = sum(evidence.may_owe(call) for call in fallbacks)
            documented = "0019: killed before it took it back" if told <= more <= worked + owed else ""
            yield Imbalance(text, row.id, row.phone, documented)


def _calls_for(evidence: Evidence, row: Row, kind: CallKind) -> list[Call]:
    return [call for call in evidence.calls_for.get(row.id, []) if call.kind == kind]


def count_ended(evidence: Evidence) -> int:
    return sum(row.status != "pending" for row in evidence.rows.values())


def find_kept(evidence: Evidence) -> Iterator[Imbalance]:
    """Numbers, leases and open guesses that outlive their verification."""
    for row in evidence.rows.values():
        if row.leased or row.guesses_open:
            yield Imbalance("still leased, or with guesses open", row.id, row.phone)
        if row.status != "pending" and (row.sealed or row.closed_at is None):
            yield Imbalance("ended, and its number is still there", row.id, row.phone)
        if not evidence.sends_of.get(row.id):
            yield Imbalance("a verification without a send", row.id, row.phone)


def find_unapplied(evidence: Evidence) -> Iterator[Imbalance]:
    """Reports about sends of ours that nobody applied."""
    holder = {send.provider_id: send.verification for send in evidence.sends}
    for provider_id in evidence.unapplied:
        yield Imbalance("a delivery report was not applied", holder.get(provider_id))


def _may_have_worked(call: Call, status: int) -> bool:
    return call.status == status or call.unclear()
