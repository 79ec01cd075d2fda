"""The policy: what is allowed, for whom, as one frozen value a client.

Made by policy_file; read by verification, fraud.rules and api. Does no I/O and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from service.phone import Kind
from service.providers.base import Channel

Mode = Literal["off", "observe", "enforce"]


class Window:
    """At most `max` in any `seconds`."""

    __slots__ = ("max", "seconds")

    def __init__(self, most: int, seconds: float) -> None:
        """Hold both, as the SQL functions take them."""
        self.max = most
        self.seconds = seconds

    def __repr__(self) -> str:
        """Show it as the policy writes it."""
        return f"{self.max}/{self.seconds:g}s"


class Seconds(float):
    """A length of time in seconds, written in the policy as "30s" or "5m"."""

    __slots__ = ()


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sliding windows for each subject."""

    phone: list[Window]
    ip: list[Window]
    account: list[Window]


class Lockout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many wrong codes."""

    codes_per_verification: int
    codes_per_phone: Window
    codes_per_phone_total: Window

    def most(self) -> int:
        """Return how many codes a verification has where none was tried before."""
        return min(self.codes_per_verification, self.codes_per_phone.max, self.codes_per_phone_total.max)


class Lifetimes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long things take at most."""

    expires_after: Seconds
    code_length: int
    dispatch_deadline: Seconds


class Fallback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When and in which order another channel follows."""

    mode: Literal["offer", "auto", "off"]
    after: Seconds
    order: list[Channel]


class Countries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where codes may go, in ISO 3166 alpha-2; a channel's own list narrows `allow`."""

    allow: list[str]
    sms: list[str] | None = None
    call: list[str] | None = None
    flashcall: list[str] | None = None


class NumberRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Kinds of number that get nothing."""

    mode: Mode
    kinds: list[Kind]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule without numbers of its own."""

    mode: Mode


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table a rule."""

    number: NumberRule
    country: Rule


class ClientSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What concerns one client's requests alone."""

    ip_required: bool
    verify_profile_id: str


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that holds for one client.

    `version` names the text that it was read from, `number` tells it from the other clients' of one process.
    """

    limits: Limits
    lockout: Lockout
    verification: Lifetimes
    fallback: Fallback
    countries: Countries
    rules: Rules
    client: ClientSettings
    version: str
    number: int


class Policies:
    """The default policy and those of the clients that have their own."""

    def __init__(self, default: Policy, clients: Mapping[str, Policy]) -> None:
        """Keep them by client name."""
        self.default = default
        self.clients = dict(clients)

    def of(self, client: str) -> Policy:
        """Return the policy that holds for a client."""
        return self.clients.get(client, self.default)

    def __iter__(self) -> Iterator[Policy]:
        """Go through every policy in force."""
        yield self.default
        yield from self.clients.values()
