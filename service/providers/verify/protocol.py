"""What a provider of verifications must answer: one send, one check, one state, one look-up; and what it tells itself.

Used by verification and api; implemented by telnyx, silent and rehearsal, and by Telnyx's webhook. No implementation
raises for what the other side says: every way it can end is one of the values below.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from service.channels import Channel

# How a send stands, in our words: whatever a provider calls it ends in its adapter.
Delivery = Literal["sent", "delivered", "unconfirmed", "failed"]


class Order(msgspec.Struct, frozen=True):
    """One send to ask for. `timeout_secs`: how long the code stays good, in seconds."""

    phone_number: str
    channel: Channel
    profile_id: str
    timeout_secs: int


class Sent(msgspec.Struct, frozen=True, tag=True):
    """Taken: `provider_id` names the verification at the provider. `delivery` only where it is known at once."""

    provider_id: str
    delivery: Delivery = "sent"


class Refused(msgspec.Struct, frozen=True, tag=True):
    """This number on this channel, never: the next channel may go on at once."""

    code: str


class TryAgain(msgspec.Struct, frozen=True, tag=True):
    """Not taken, and certainly nothing sent. `after`: seconds to wait, when the other side named them.

    `throttled` is a 429: everything to this provider waits, not this send alone.
    """

    code: str
    after: float | None = None
    throttled: bool = False


class InDoubt(msgspec.Struct, frozen=True, tag=True):
    """The call may or may not have been acted upon (time limit, reset)."""

    code: str


class AccountProblem(msgspec.Struct, frozen=True, tag=True):
    """Our key, account, funds or spend limit: no number could be sent to now.

    `of_profile`: the trouble is this Verify profile's own; other profiles of the account may well be served.
    """

    code: str
    of_profile: bool = False


SendAnswer = Sent | Refused | TryAgain | InDoubt | AccountProblem


class Judged(msgspec.Struct, frozen=True, tag=True):
    """The code was compared."""

    accepted: bool


class NotJudged(msgspec.Struct, frozen=True, tag=True):
    """The code was certainly not compared (no connection, 429, an error). `of_profile`: as in AccountProblem."""

    code: str
    after: float | None = None
    of_profile: bool = False


CheckAnswer = Judged | NotJudged | InDoubt


class State(msgspec.Struct, frozen=True, tag=True):
    """What the provider holds of one verification."""

    accepted: bool


class Found(msgspec.Struct, frozen=True):
    """One verification of a number, as the provider lists it. `created_at` is aware, in UTC."""

    provider_id: str
    channel: str
    profile_id: str
    created_at: datetime


class Provider(Protocol):
    """Ways to send and check. Every call ends within its time limit and raises nothing but cancellation.

    `real`: what it sends reaches people and is counted; False for a stand-in, which is called by no name but its own.
    """

    name: str
    real: bool

    async def send(self, order: Order) -> SendAnswer:
        """Ask for one send; at most 8 s, never repeated."""

    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """Compare a code with one verification; at most 5 s, never repeated."""

    async def state(self, provider_id: str) -> State | NotJudged:
        """Read one verification back; at most 5 s."""

    async def look_up(self, phone_number: str) -> list[Found] | NotJudged:
        """List the verifications of a number, newest first; at most 5 s."""

    async def aclose(self) -> None:
        """Give the connections back."""


class DeliveryEvent(msgspec.Struct, frozen=True):
    """What a provider told of one send. `id`: the event's own, by which it is known when it comes again.

    Both ids are those of `provider`, which is its name: another's may be the same.
    """

    provider: str
    id: str
    provider_id: str
    delivery: Delivery


class Undecodable(msgspec.Struct, frozen=True):
    """A body that makes no sense."""


SignatureFault = Literal["no_signature", "stale", "other_key"]


class DeliveryWebhook(Protocol):
    """How a provider tells what became of its sends: whether that is its own word, and what it says."""

    def find_fault(self, headers: Mapping[str, str], body: bytes) -> SignatureFault | None:
        """Say what is wrong with the signature over a body as it came; None where it may be believed."""

    def read(self, body: bytes) -> DeliveryEvent | Undecodable | None:
        """Read what a body says; None where it is nothing that concerns us."""
