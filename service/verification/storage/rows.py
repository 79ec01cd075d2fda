"""The rows that go into the statements and come out of them, with their parameters' and columns' names.

Used by this package, verification and worker. Plain values; no method does any I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID

import msgspec

from service.db.calls import JsonText
from service.providers.verify.protocol import Delivery
from service.verification.states import GuessResult, Send, SendState, SendToCheck, Status


def _nothing() -> None:
    """Stand in for what is to be done when there is nothing."""


AdmissionOutcome = Literal["admitted", "replayed", "mismatch", "in_flight", "limited", "unauthorized"]
FallbackOutcome = Literal["used", "unauthorized", "unknown", "closed", "exhausted", "early", "limited"]
Told = TypeVar("Told", FallbackOutcome, Literal["read"], Literal["canceled"])


# Three for each request: the driver accepts only lists as rows of an array, and all must be of one length.
Sources = list[UUID | None]


class Admission(msgspec.Struct):
    """One request, as `admit_v4` takes it. `policy`: the number of the policy whose limits apply.

    `sources`: hashes of where it comes from, as far as it may be known. `begins`: a slot is free for its send.
    `call`: the database call in which it was first tried, which the store sets. `repeat`: by what a second tap within
    `repeat_within` seconds is known.
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
    repeat: UUID | None = None
    repeat_within: float = 0.0


class Admitted(msgspec.Struct):
    """What became of a request. `wait`: seconds until a limit lets it through; `waived`: by an operator."""

    outcome: AdmissionOutcome
    id: UUID
    created_at: datetime
    expires_at: datetime
    remaining: int
    wait: float | None
    leased: bool
    waived: list[str] | None = msgspec.field(default=None, name="lifts")


class SendRecord(msgspec.Struct):
    """How one send ended, as `record_v3` takes it. `wait` and `next_in`: seconds from now.

    `decision`: only a test client's; every other one was stored when it was resolved.
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
    decision: JsonText | None
    next_in: float


class StatusRow(msgspec.Struct, Generic[Told]):
    """What a caller may know of one verification, and how the call ended that asked."""

    outcome: Told
    status: Status | None
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    used: list[str]
    channel_used_at: datetime = msgspec.field(name="pressed_at")
    remaining: int
    wait: float | None


class Guess(msgspec.Struct):
    """One guess to reserve, as `reserve_guesses_v4` takes it. `limits`: the place of its policy's, from 1.

    `body`: hash of the code that is bound to `idem`.
    """

    verification_id: UUID
    guess: UUID
    key_id: int
    client_id: int
    limits: int
    idem: UUID | None = None
    body: UUID | None = None


class Reserved(msgspec.Struct):
    """How the reservation of a guess ended, and which sends to ask about it.

    `held`: somebody else has locked the verification's row; `withdrawn`: it was taken back before it came.
    `age`: seconds since the caller's last request or fallback; `channels`: how many channels they have asked for.
    """

    outcome: Literal[
        "reserved",
        "unauthorized",
        "unknown",
        "closed",
        "busy",
        "in_flight",
        "mismatch",
        "replayed",
        "held",
        "withdrawn",
    ]
    status: Status | None
    remaining: int
    verified: bool | None
    test: bool | None
    age: float | None
    channels: int | None
    sends: list[SendToCheck]


class Verdict(msgspec.Struct):
    """How one guess is settled, as `settle_guesses_v3` takes it. `limits`: as in Guess."""

    guess: UUID
    result: GuessResult
    limits: int


class Settled(msgspec.Struct):
    """What the verification is after a guess was settled."""

    status: Status
    remaining: int
    verified: bool


class Claimed(msgspec.Struct):
    """A verification that this process may act on until its lease ends. `now`: the database's clock.

    `stale`: another process's lease had run out on it.
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
    waived: list[str] | None = msgspec.field(name="lifts")
    sends: list[Send]
    now: datetime
    stale: bool = False


class HeldRow(msgspec.Struct, frozen=True):
    """A row that is held until its caller has been answered, its token, and what to do once it is released."""

    id: UUID
    token: UUID
    then: Callable[[], None] = _nothing


class Due(msgspec.Struct):
    """What there is to do: rows to claim, verifications that are over, guesses to settle, and webhooks to apply."""

    claimable: bool
    over: bool
    unsettled: bool
    reported: bool


class Backlog(msgspec.Struct):
    """How long (s) the oldest claimable verification has been due; `unreadable`: some are sealed with other keys."""

    waited: float
    unreadable: bool


class Applied(msgspec.Struct):
    """How many events of webhooks were looked at, were applied, are about no send of ours, and were dropped."""

    looked: int
    applied: int
    unknown: int
    dropped: int


class Unsettled(msgspec.Struct):
    """A guess whose answer was lost, with the sends to ask about."""

    id: UUID
    client: str
    test: bool
    verification_id: UUID
    sends: list[Send]
