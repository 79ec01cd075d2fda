"""The protocol of a verification provider: one send, one check, one state, one look-up.

Used by verification; implemented by providers.telnyx.client, decoy and testing. No implementation raises for a reply of
the other side: every way it can end is one of the values below.
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
    """One send to make. `timeout_secs`: how long the code is valid, in seconds."""

    phone_number: str
    channel: Channel
    profile_id: str
    timeout_secs: int


class Sent(msgspec.Struct, frozen=True, tag=True):
    """Accepted: `provider_id` is the verification's id there. `delivery` only if it is known at once."""

    provider_id: str
    delivery: Delivery = "sent"


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Refused for this number on this channel, for good: the next channel may follow at once."""

    code: str


class TryAgain(msgspec.Struct, frozen=True, tag=True):
    """Not accepted, and certainly nothing sent. `after`: seconds to wait, if the other side named them.

    `throttled` is a 429: everything to this provider waits, not only this send.
    """

    code: str
    after: float | None = None
    throttled: bool = False


class InDoubt(msgspec.Struct, frozen=True, tag=True):
    """The call may or may not have been acted upon (time limit, reset)."""

    code: str


class AccountProblem(msgspec.Struct, frozen=True, tag=True):
    """Refused for our key, account, funds or spend limit: no number can be sent to now."""

    code: str
    of_profile: bool = False


SendAnswer = Sent | Refused | TryAgain | InDoubt | AccountProblem


class CodeCompared(msgspec.Struct, frozen=True, tag=True):
    """The provider compared the code."""

    accepted: bool


class NotCompared(msgspec.Struct, frozen=True, tag=True):
    """The provider certainly did not compare the code (no connection, 429, an error status)."""

    code: str
    after: float | None = None
    of_profile: bool = False


CheckAnswer = CodeCompared | NotCompared | InDoubt


class State(msgspec.Struct, frozen=True, tag=True):
    """The provider's state of one verification."""

    accepted: bool


class ListedVerification(msgspec.Struct, frozen=True):
    """One verification of a number, as the provider lists it. `created_at` is aware, in UTC."""

    provider_id: str
    channel: str
    profile_id: str
    created_at: datetime


class Provider(Protocol):
    """Sends and checks codes. Every call ends within its time limit and raises nothing but cancellation."""

    name: str
    real: bool

    async def send(self, order: Order) -> SendAnswer:
        """Make one send; at most 8 s, never repeated."""

    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """Compare a code with one verification; at most 5 s, never repeated."""

    async def state(self, provider_id: str) -> State | NotCompared:
        """Read one verification back; at most 5 s."""

    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
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
