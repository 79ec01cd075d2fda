"""Sends on record against calls that Telnyx acted upon: each has the other, once, or a reason that is documented.

Checks of the balance. Pure. In doubt means: asked for, not heard, not found; it may have gone and is not repeated.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from service.sandbox.journal import JournalEntry as TelnyxCall
from tests.chaos.evidence import Evidence, Send
from tests.chaos.findings import Imbalance
from tests.chaos.policy import DEADLINE

REAL = "telnyx"
# Faults after which nobody knows whether a send was acted upon.
LEAVE_OPEN = ("hang_before", "hang_after", "reset_before", "reset_after", "garbage", "gateway_timeout")
Place = tuple[str, str]  # a number and a channel


def list_acted(evidence: Evidence) -> list[TelnyxCall]:
    """List the calls by which a code went out, heard of or not."""
    return [call for call in evidence.send_calls if call.acted and call.verification_id is not None]


def count_acted(evidence: Evidence) -> int:
    return len(list_acted(evidence))


def count_taken(evidence: Evidence) -> int:
    return sum(send.provider_id is not None and send.provider == REAL for send in evidence.sends)


def count_unsent(evidence: Evidence) -> int:
    return sum(send.state in ("refused", "abandoned", "in_doubt") for send in evidence.sends)


def count_decoys(evidence: Evidence) -> int:
    return sum(not row.deliver for row in evidence.rows.values())


def find_doubles(evidence: Evidence) -> Iterator[Imbalance]:
    """More codes by one channel than there are sends of that channel to that number, whatever became of them."""
    wanted = Counter((_phone(evidence, send), send.by) for send in evidence.sends)
    wanted.update((_phone(evidence, send), send.channel) for send in evidence.sends if send.by != send.channel)
    acted = Counter((call.phone_number, call.channel) for call in list_acted(evidence))
    for (phone, channel), many in acted.items():
        if many > wanted[phone or "", channel or ""]:
            text = f"{many} codes went out by {channel}, {wanted[phone or '', channel or '']} were wanted"
            yield Imbalance(text, phone=phone)
    for verification, sends in evidence.sends_of.items():
        taken = Counter(send.by for send in sends if send.provider_id is not None)
        if sends and taken and max(taken.values()) > 1:
            yield Imbalance("one verification was sent to twice by one channel", verification)


def find_unrecorded(evidence: Evidence) -> Iterator[Imbalance]:
    """Codes that went out and that no send holds: only a send in doubt may explain one."""
    held = {send.provider_id for send in evidence.sends if send.provider == REAL}
    doubtful = Counter((_phone(evidence, send), send.by) for send in evidence.sends if send.state == "in_doubt")
    loose: dict[Place, list[TelnyxCall]] = defaultdict(list)
    for call in list_acted(evidence):
        if call.verification_id not in held:
            loose[call.phone_number or "", call.channel or ""].append(call)
    for place, calls in loose.items():
        if len(calls) > doubtful[place]:
            yield Imbalance(f"{len(calls)} codes by {place[1]} are on nobody's record", phone=place[0])


def find_invented(evidence: Evidence) -> Iterator[Imbalance]:
    """Sends on record that Telnyx never made, or made for somebody else."""
    acted = {call.verification_id: call for call in list_acted(evidence)}
    for send in evidence.sends:
        if send.provider != REAL or send.provider_id is None:
            continue
        call, phone = acted.get(send.provider_id), _phone(evidence, send)
        if call is None:
            yield Imbalance("a send is on record that Telnyx never made", send.verification, phone)
        elif (call.phone_number, call.channel) != (phone, send.by):
            yield Imbalance("a send holds what was made for another", send.verification, phone)


def find_unexplained(evidence: Evidence) -> Iterator[Imbalance]:
    """Sends given up too early, and refusals that Telnyx never spoke."""
    refusals = {(c.phone_number, c.channel) for c in evidence.send_calls if c.status == 400 and not c.acted}
    for send in evidence.sends:
        row, phone = evidence.rows[send.verification], _phone(evidence, send)
        if send.state == "refused" and (phone, send.by) not in refusals:
            yield Imbalance("a send is refused on record; Telnyx refused none", send.verification, phone)
        if send.state == "abandoned" and send.ended_at is not None:
            late = (send.ended_at - send.wanted_at).total_seconds() >= DEADLINE - 1
            if not late and (row.closed_at is None or row.closed_at > send.ended_at):
                yield Imbalance(f"a send was given up early ({send.error})", send.verification, phone)
        if send.state == "sent" and row.deliver and send.provider != REAL:
            yield Imbalance(f"a real send went by {send.provider}", send.verification, phone)


def count_wanted(evidence: Evidence) -> int:
    return sum(row.deliver for row in evidence.rows.values())


def find_unsent(evidence: Evidence) -> Iterator[Imbalance]:
    """Sends in doubt that never went: documented where Telnyx left it open, or the verification ended meanwhile."""
    held = {send.provider_id for send in evidence.sends}
    loose = Counter((c.phone_number, c.channel) for c in list_acted(evidence) if c.verification_id not in held)
    silent = Counter(call.phone_number for call in evidence.send_calls if call.fault in LEAVE_OPEN)
    silent.update(call.phone_number for call in evidence.lookup_calls if call.fault not in (None, "slow"))
    for send in evidence.sends:
        row = evidence.rows[send.verification]
        if send.state != "in_doubt" or not row.deliver:
            continue
        if loose[row.phone, send.by]:
            loose[row.phone, send.by] -= 1
            continue
        left_open = silent[row.phone] or send.provider is None or _stood_still(evidence, send)
        documented = "0005: in doubt, and not repeated" if left_open else ""
        yield Imbalance(f"in doubt ({send.error}), and it never went", row.id, row.phone, documented)


def _stood_still(evidence: Evidence, send: Send) -> bool:
    """Whether Telnyx stood still at some time from the wish for a send to its end: look-ups go unanswered then."""
    first = send.wanted_at.timestamp()
    last = send.ended_at.timestamp() if send.ended_at else first
    return any("telnyx_standstill" in event.text and first - 6 < event.at < last for event in evidence.events)


def find_betrayed(evidence: Evidence) -> Iterator[Imbalance]:
    """Codes for decoys."""
    real = {row.phone for row in evidence.rows.values() if row.deliver}
    decoys = {row.phone for row in evidence.rows.values() if not row.deliver} - real
    for call in list_acted(evidence):
        if call.phone_number in decoys:
            yield Imbalance("a decoy was sent a code", phone=call.phone_number)


def _phone(evidence: Evidence, send: Send) -> str:
    return evidence.rows[send.verification].phone
