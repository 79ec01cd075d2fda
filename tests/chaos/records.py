"""What was seen during a run: every call of every backend, and every strike, with the time of each.

Written by callers and strikes, read by the balance. Plain values, kept in memory for the length of one run.
"""

from __future__ import annotations

import time
from typing import Literal

import msgspec

CallKind = Literal["request", "fallback", "verify", "cancel"]


class Source(msgspec.Struct, frozen=True):
    """Who asks: a client's end user, as the client describes them."""

    client: str
    phone: str
    address: str
    account: str | None = None
    deliver: bool = True


class Call(msgspec.Struct, kw_only=True):
    """One HTTP call. `status` is None without an answer; `reached` is False where no connection was taken.

    `story` tells which calls belong together: the tries of one request share it, and its later calls.
    """

    kind: CallKind
    story: int
    source: Source
    gateway: str
    at: float
    took: float = 0.0
    reached: bool = True
    status: int | None = None
    idem: str | None = None
    verification: str | None = None
    code: str | None = None
    verified: bool | None = None

    def unclear(self) -> bool:
        """Whether it may have been served although nobody said so."""
        return self.status is None and self.reached


class Lapse(msgspec.Struct, frozen=True):
    """A process that died at once, or stood still for longer than its leases: what it owed then, it did not do."""

    gateway: str | None
    at: float


class Event(msgspec.Struct, frozen=True):
    """Something that happened to the world."""

    at: float
    text: str


class Book:
    """Everything that was seen."""

    def __init__(self) -> None:
        self.begun = time.time()
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.lapses: list[Lapse] = []

    def note(self, text: str) -> None:
        """Note an event that happens now."""
        self.events.append(Event(time.time(), text))
