"""The rows that go into the hot statements, named as their parameters are, and those that come out of them.

Made and read by store and the flows. Plain values; no method does any I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID

import msgspec

from service.db.calls import Json
from service.policy.model import Policy
from service.providers.verify.protocol import Delivery
from service.verification.states import GuessResult, Send, SendState, Status


def _nothing() -> None:
    """Do nothing more."""


Outcome = Literal["admitted", "replayed", "mismatch", "in_flight", "limited", "unauthorized"]
PressOutcome = Literal["pressed", "unauthorized", "unknown", "closed", "exhausted", "early", "limited"]
Told = TypeVar("Told", PressOutcome, Literal["read"], Literal["canceled"])


# Three for each request (the driver takes lists alone for the rows of an array, and they must be of one length).
Sources = list[UUID | None]


class Admission(msgspec.Struct):
    """One request, as `admit_v3` takes it. `policy` is the number of the policy whose limits it obeys.

    `sources`: what it comes from, by the names under which that may be known. `begins`: a slot is free for its send.
    `call`: the call in which it came first, which the store writes down.
    """

    id: UUID
    key_id: int
    client_id: int
    policy: int
    phone_hash: UUID
    channel: str
    deliver: bool
    test: bool
    lifetime: float
    codes: int
    phone_limit: UUID
    ip_limit: UUID | None
    account_limit: UUID | None
    source_budget: UUID
    total_budget: UUID
    sealed: bytes
    idem: UUID | None
    body: UUID | None
    token: UUID | None
    sources: Sources
    begins: bool = True
    call: UUID | None = None


class Admitted(msgspec.Struct):
    """What became of a request. `wait`: seconds until a limit lets it through; `lifts`: what an operator lifted."""

    outcome: Outcome
    id: UUID
    created_at: datetime
    expires_at: datetime
    remaining: int
    wait: float | None
    leased: bool
    lifts: list[str] | None = None


class Recorded(msgspec.Struct):
    """How one send ended, as `record_v3` takes it. `wait` and `next_in`: seconds from now.

    `real`: whether the provider is no stand-in; None where there was none. `decision`: of a test client's send; every
    other was kept when it was resolved.
    """

    id: UUID
    token: UUID
    ordinal: int
    state: SendState
    wait: float
    provider: str | None
    real: bool | None
    provider_id: str | None
    error: str | None
    delivery: Delivery | None
    decision: Json | None
    next_in: float


class StatusRow(msgspec.Struct, Generic[Told]):
    """What a caller may know of one verification, and how the call ended that asked."""

    outcome: Told
    status: Status | None
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    used: list[str]
    pressed_at: datetime
    remaining: int
    wait: float | None


class Reserved(msgspec.Struct):
    """How a guess was taken, and which sends to ask about it.

    `age`: seconds since the caller's last request or press; `channels`: how many of them he has asked for.
    """

    outcome: Literal["reserved", "unauthorized", "unknown", "closed", "busy", "in_flight", "mismatch", "replayed"]
    status: Status | None
    remaining: int
    verified: bool | None
    test: bool | None
    age: float | None
    channels: int | None
    sends: list[Send]


class Settled(msgspec.Struct):
    """What stands after a guess was settled."""

    status: Status
    remaining: int
    verified: bool


class Claimed(msgspec.Struct):
    """A verification that is this process's to act on, until its lease ends. `now`: the database's clock.

    `stale`: the lease of another process had run out over it.
    """

    id: UUID
    client_id: int
    client: str
    phone_hash: UUID
    status: Status
    deliver: bool
    test: bool
    created_at: datetime
    expires_at: datetime
    sealed: bytes | None
    token: UUID
    lifts: list[str] | None
    sends: list[Send]
    now: datetime
    stale: bool = False


class Held(msgspec.Struct, frozen=True):
    """A row that waits for its caller to be answered, and the token under which it does; what to do when it is free."""

    id: UUID
    token: UUID
    then: Callable[[], None] = _nothing


class Verdict(msgspec.Struct, frozen=True):
    """What became of a guess that the database could not be told of at once. `result`: as in Store.settle."""

    guess: UUID
    result: GuessResult
    policy: Policy


class Backlog(msgspec.Struct):
    """How long (s) the oldest verification that could be claimed has been due; `unreadable`: some have other keys."""

    waited: float
    unreadable: bool


class Applied(msgspec.Struct):
    """How many events of webhooks were looked at, were applied, are about no send of ours, and were dropped."""

    looked: int
    applied: int
    unknown: int
    dropped: int


class Unsettled(msgspec.Struct):
    """A guess whose answer was lost, with the sends to ask about it."""

    id: UUID
    client: str
    test: bool
    verification_id: UUID
    sends: list[Send]
