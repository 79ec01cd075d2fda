"""The calls that reached the stand-ins, so that a test can count them.

Written by sandbox.stage, read by tests and the control API. It holds numbers and codes in clear text, and only in
a sandbox's memory.
"""

from __future__ import annotations

import time
from collections import Counter, deque

import msgspec

from service.sandbox.faults import FaultKind, Operation

KEPT = 100_000
"""Calls kept; `counts` goes on counting past them."""


class JournalEntry(msgspec.Struct, kw_only=True):
    """One call received. `at`: unix seconds; `acted`: it was acted upon, answered or not.

    `over`: it was about a verification that had expired or been accepted before, which no code can change any more.
    `status` is None until it is answered, and stays so for one that hangs or is reset.
    """

    sequence: int
    at: float
    operation: Operation
    channel: str | None
    phone_number: str | None
    verification_id: str | None
    code: str | None
    fault: FaultKind | None = None
    over: bool = False
    acted: bool = False
    status: int | None = None


class Journal:
    """The newest calls in order, and how many of each operation there were in all."""

    def __init__(self) -> None:
        self._calls: deque[JournalEntry] = deque(maxlen=KEPT)
        self._counts: Counter[Operation] = Counter()
        self._sequence = 0

    def add(
        self,
        operation: Operation,
        channel: str | None,
        phone_number: str | None,
        verification_id: str | None,
        code: str | None,
        fault: FaultKind | None,
        *,
        over: bool = False,
    ) -> JournalEntry:
        """Record a call before it is acted upon; the caller fills in how it ended."""
        self._sequence += 1
        self._counts[operation] += 1
        call = JournalEntry(
            sequence=self._sequence,
            at=time.time(),
            operation=operation,
            channel=channel,
            phone_number=phone_number,
            verification_id=verification_id,
            code=code,
            fault=fault,
            over=over,
        )
        self._calls.append(call)
        return call

    def list_calls(self, operation: Operation | None = None, after: int = 0) -> list[JournalEntry]:
        """Return calls in order, of one operation if named, with sequence numbers above `after`."""
        return [call for call in self._calls if call.sequence > after and operation in (None, call.operation)]

    def count(self) -> dict[Operation, int]:
        """Return how many calls of each operation were received since the last clearing."""
        return dict(self._counts)

    def clear(self) -> None:
        """Clear the calls; sequence numbers go on."""
        self._calls.clear()
        self._counts.clear()
