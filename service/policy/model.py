"""The policy: what is allowed, as one frozen value for each client.

Made by policy.loading; read by verification, fraud, worker, operators and api. Does no I/O and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from service.channels import Channel
from service.policy.rules import Rules
from service.policy.spending import Budgets, Prices
from service.policy.units import Moment, Seconds, SecondsOrOff, Window


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sliding windows for each subject. `ip`, `account`, `device`: of what was not converted; their totals: of all."""

    phone: list[Window]
    ip: list[Window]
    ip_total: list[Window]
    account: list[Window]
    account_total: list[Window]
    phone_everywhere: list[Window]
    device: list[Window]
    device_total: list[Window]


class OperatorLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many calls one operator's key may make; searches count in both."""

    calls: list[Window]
    searches: list[Window]


class Lockout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many wrong codes are accepted."""

    codes_per_verification: int
    codes_per_phone: Window
    codes_per_phone_total: Window
    sources_known_for: Seconds

    def most(self) -> int:
        """Return how many guesses a verification begins with, if no budget has been used."""
        return min(self.codes_per_verification, self.codes_per_phone.max, self.codes_per_phone_total.max)


class Lifetimes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long verifications and sends live, and the codes' length.

    `repeat_within`: how long the same request from the same source is a second tap.
    """

    expires_after: Seconds
    longest: Seconds
    repeat_within: SecondsOrOff
    code_length: int
    dispatch_deadline: Seconds


class FallbackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When and in which order another channel follows. `extends_to`: how long its code is good at least."""

    mode: Literal["offer", "auto", "off"]
    after: Seconds
    extends_to: Seconds
    order: list[Channel]


class Countries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where codes may go, in ISO 3166 alpha-2; a channel's own list narrows `allow`.

    `by_channel`, here and in Prices, is written a channel a setting, beside the others of its table.
    """

    allow: list[str]
    by_channel: dict[Channel, list[str]]


class BlockLengths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the first block that a rule raises lasts, and the longest; each next one lasts twice as long."""

    first: Seconds
    longest: Seconds


class LookupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether Telnyx is asked for line types, and how long an answer is kept."""

    mode: Literal["off", "on"]
    keep: Seconds


class AlertRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When alerts ring. They are for the whole service; a client cannot have its own."""

    above_sends_per_minute: int
    spike_above_times_usual: float
    spike_above_sends_per_minute: float
    conversion_below_share: float
    conversion_least_sends: int
    suppressed_least_share: float
    suppressed_least_requests: int
    drift_least_sends: int
    drift_least_share: float
    drift_deviations: float
    ends_after: Seconds


class ClientSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one client's requests must bring, its Verify profile, and from when on its rules are enforced.

    `step_up`: what they must bring while the alarm of their number's country or of their network is up.
    `app_name`, `messaging_template_id`: what the profile's messages say, "" for what the profile has.
    """

    ip_required: bool
    captcha_required: bool
    step_up: Literal["off", "captcha"]
    verify_profile_id: str
    enforce_from: Moment
    app_name: str
    messaging_template_id: str


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that applies to one client.

    `version` identifies the text that it was read from; `number` identifies it among the policies of one process.
    """

    limits: Limits
    lockout: Lockout
    verification: Lifetimes
    fallback: FallbackSettings
    countries: Countries
    lookup: LookupSettings
    blocks: BlockLengths
    rules: Rules
    prices: Prices
    budgets: Budgets
    alerts: AlertRules
    operators: OperatorLimits
    client: ClientSettings
    version: str
    number: int


class Renamed(NamedTuple):
    """A setting that was given under its old name, with the line of the file. `new` is empty: it has no effect."""

    line: int | None
    old: str
    new: str

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return f"Call it {self.new}: the old name will go." if self.new else "Leave it out: it has no effect any more."


class Policies:
    """The default policy, and those of clients that have their own. `renamed`: what the file calls by old names."""

    def __init__(self, default: Policy, clients: Mapping[str, Policy], renamed: Sequence[Renamed] = ()) -> None:
        self.default = default
        self.clients = dict(clients)
        self.renamed = renamed

    def of(self, client: str) -> Policy:
        """Return a client's policy."""
        return self.clients.get(client, self.default)

    def observed_until(self, client: str, own: datetime | None) -> datetime | None:
        """Return until when a client's rules only observe: by the policy, else its own end (`keys create --observe`).

        The policy comes first, so that a period which was begun with a key can be cut short, or made longer.
        """
        return self.of(client).client.enforce_from.at or own

    def __iter__(self) -> Iterator[Policy]:
        """Iterate over every policy in force."""
        yield self.default
        yield from self.clients.values()
