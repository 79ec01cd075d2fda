"""What operators see: one verification in full, a number's verifications, the traffic of a window.

Made by verifications; written out by api. Values, and the order of events in them. Never a number, nor the last digits
of the numbers that a send was weighed against.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from service.channels import Channel
from service.fraud.histories.history import History
from service.operators.pages import LedgerPlace, Page
from service.verification.states import Cause, SendState, Status


class RecordedFinding(msgspec.Struct, frozen=True):
    """One rule's objection, and the mode in which it was raised. `reason`: the same as a sentence, if any."""

    rule: str
    mode: str
    detail: str
    reason: str = ""


class RecordedDecision(msgspec.Struct, frozen=True):
    """One send's decision as recorded, perhaps by another version: what this one does not know is left out."""

    allow: bool
    findings: list[RecordedFinding] = []
    facts: dict[str, Any] = {}
    policy_version: str = "?"
    by: Channel | None = None


class ExplainedDecision(RecordedDecision, frozen=True):
    """A test client's decision. `explain`: its request asked for it."""

    explain: bool = False


class SendDetail(msgspec.Struct, frozen=True):
    """One send, and how it ended."""

    ordinal: int
    channel: Channel
    cause: Cause
    state: SendState
    wanted_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    attempts: int
    provider: str | None
    error: str | None
    delivery: str | None
    delivery_at: datetime | None
    decision: RecordedDecision | None


class GuessDetail(msgspec.Struct, frozen=True):
    """One guess, never its code."""

    counted_at: datetime
    state: str


class TimelineEntry(msgspec.Struct, frozen=True):
    """Something that happened. `send`: the send that it is about."""

    at: datetime
    what: str
    send: int | None = None


class VerificationDetail(msgspec.Struct, frozen=True):
    """One verification in full. `number`: its country code and last two digits, while it is pending."""

    id: UUID
    client: str
    test: bool
    deliver: bool
    status: Status
    number: str | None
    country: str | None
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    wrong_codes: int
    sends: list[SendDetail]
    events: list[TimelineEntry]


class Match(msgspec.Struct, frozen=True):
    """One verification of a number that was searched for."""

    id: UUID
    client: str
    test: bool
    deliver: bool
    status: Status
    created_at: datetime
    channels: list[Channel]
    suppressed_by: list[str]


class Group(msgspec.Struct, frozen=True):
    """The sends to one country by one channel: requested, gone out, suppressed, and verified."""

    country: str
    channel: Channel
    requests: int
    sends: int
    suppressed: int
    verified: int


class FindingCount(msgspec.Struct, frozen=True):
    """How often a rule objected in a mode."""

    rule: str
    mode: str
    count: int


class LedgerEntry(msgspec.Struct, frozen=True):
    """What one day (UTC) cost one client, in one country, by one channel."""

    day: date
    client: str
    country: str
    channel: str
    sends: int
    spent: float
    suppressed: int
    saved: float


class Ledger(msgspec.Struct, frozen=True):
    """A page of a window's lines, and the totals of the whole window."""

    spent: float
    saved: float
    lines: Page[LedgerEntry, LedgerPlace]


class Summary(msgspec.Struct, frozen=True):
    """The traffic of a window. `sent_to`: verifications for which something went out; `verified`: of these."""

    since: datetime
    until: datetime
    requests: int
    decoys: int
    sends: int
    suppressed: int
    sent_to: int
    verified: int
    groups: list[Group]
    findings: list[FindingCount]


def explain(send: SendDetail) -> SendDetail:
    """Describe a send's histories, without the numbers in them."""
    if send.decision is None:
        return send
    facts = dict(send.decision.facts)
    stored = facts.get("histories")
    facts["histories"] = {kind: _name(one) for kind, one in stored.items()} if isinstance(stored, dict) else {}
    return msgspec.structs.replace(send, decision=msgspec.structs.replace(send.decision, facts=facts))


def _name(stored: Any) -> dict[str, Any]:
    try:
        history = msgspec.convert(stored, History)
    except msgspec.ValidationError:  # another version wrote it
        return {}
    named = zip(History.__struct_encode_fields__, msgspec.structs.astuple(history), strict=True)
    return {name: value for name, value in named if name != "marks"}


def tell(
    created_at: datetime, closed_at: datetime | None, status: str, sends: list[SendDetail], guesses: list[GuessDetail],
    *, deliver: bool,
) -> list[TimelineEntry]:  # fmt: skip
    """List what happened, in order. What the decoy provider said of a send that nobody got is not among it."""
    events = [TimelineEntry(created_at, "requested")]
    events += [event for send in sends for event in _sent(send, deliver=deliver)]
    events += [TimelineEntry(guess.counted_at, f"code {guess.state}") for guess in guesses]
    events += [TimelineEntry(closed_at, status)] if closed_at else []
    return sorted(events, key=lambda event: event.at)


def _sent(send: SendDetail, *, deliver: bool) -> Iterator[TimelineEntry]:
    if send.cause != "request":
        yield TimelineEntry(send.wanted_at, f"{send.channel} wanted: {send.cause}", send.ordinal)
    if send.begun_at:
        yield TimelineEntry(send.begun_at, f"{send.channel} begun", send.ordinal)
    if send.ended_at:
        yield TimelineEntry(send.ended_at, f"{send.channel} {_how(send, deliver=deliver)}", send.ordinal)
    if send.delivery_at and send.delivery and deliver and not is_suppressed(send):
        yield TimelineEntry(send.delivery_at, f"delivery {send.delivery}", send.ordinal)


def _how(send: SendDetail, *, deliver: bool) -> str:
    return "suppressed" if is_suppressed(send) else send.state if deliver else "decoy"


def is_suppressed(send: SendDetail) -> bool:
    """Say whether rules kept a send from going out."""
    return send.decision is not None and not send.decision.allow


def stopping(decision: RecordedDecision | None) -> list[RecordedFinding]:
    """List the findings that stopped a send."""
    return [one for one in decision.findings if one.mode == "enforce"] if decision else []
