"""Everything that touched one number, in order of time: calls, rows, sends, Telnyx, and the strikes around them.

Called by report for each imbalance. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from service.sandbox.journal import JournalEntry as TelnyxCall
from tests.chaos.evidence import Evidence, Row, Send
from tests.chaos.findings import Imbalance
from tests.chaos.records import Call

AROUND = 3.0  # seconds of the world's events told beside each of them
Moment = tuple[float, str]


def write_timeline(evidence: Evidence, imbalance: Imbalance) -> Iterator[str]:
    """Write a line for each moment."""
    moments = list(_gather(evidence, imbalance))
    times = [at for at, _ in moments]
    around = (event for event in evidence.events if any(abs(event.at - at) < AROUND for at in times))
    for at, text in sorted([*moments, *((event.at, f"* {event.text}") for event in around)]):
        yield f"  {datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}  {text}"


def _gather(evidence: Evidence, imbalance: Imbalance) -> Iterator[Moment]:
    row = evidence.rows.get(imbalance.verification or "")
    phone = imbalance.phone or (row.phone if row else None)
    rows = [one for one in evidence.rows.values() if one.phone == phone]
    yield from map(_tell_call, (call for call in evidence.calls if call.source.phone == phone))
    journal = [*evidence.send_calls, *evidence.check_calls]
    yield from map(_tell_telnyx, (call for call in journal if phone and call.phone_number == phone))
    yield from _tell_rows(rows)
    yield from _tell_sends(send for row in rows for send in evidence.sends_of.get(row.id, []))


def _tell_call(call: Call) -> Moment:
    words = ["", call.kind, f"of story {call.story}", f"at {call.gateway[-5:]}", "keyed" if call.idem else ""]
    words += [f"-> {call.status} in {call.took:.2f} s", call.verification or "", "verified" if call.verified else ""]
    return call.at, " ".join(filter(None, words))


def _tell_telnyx(call: TelnyxCall) -> Moment:
    words = ["Telnyx", call.operation, call.channel, "acted" if call.acted else "did not act", call.fault]
    return call.at, " ".join(filter(None, [*words, f"-> {call.status}", call.verification_id]))


def _tell_rows(rows: Iterable[Row]) -> Iterator[Moment]:
    for row in rows:
        yield row.created_at.timestamp(), f"row {row.id} of {row.client} made; it is {row.status}"
        if row.closed_at is not None:
            yield row.closed_at.timestamp(), f"row {row.id} closed"


def _tell_sends(sends: Iterable[Send]) -> Iterator[Moment]:
    for send in sends:
        text = f"send {send.ordinal} of {send.verification} by {send.by} ({send.cause})"
        yield send.wanted_at.timestamp(), f"{text} wanted"
        if send.ended_at is not None:
            booked = "booked" if send.booked else "not booked"
            words = [text, send.state, send.provider, send.provider_id, send.error, booked]
            yield send.ended_at.timestamp(), " ".join(filter(None, words))
