"""The policy: what is allowed, as one frozen value for each client.

Made by policy.loading; read by verification, fraud, worker, operators and api. Does no I/O and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from service.channels import Channel
from service.phone import NumberKind
from service.policy.units import Moment, Seconds, SecondsOrOff, Window

Mode = Literal["off", "observe", "enforce"]


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


class NumberRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Number kinds that get no code."""

    mode: Mode
    kinds: list[NumberKind]


class UnknownNumberRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers that the numbering plan does not know; where they are sent to, under limits of their own."""

    mode: Mode
    ip: list[Window]
    country: list[Window]


class PlainRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule without parameters."""

    mode: Mode


class AboveRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects above a threshold."""

    mode: Mode
    above: float


class BelowRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects below a threshold."""

    mode: Mode
    below: float


class FreshRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects to an event older than `after`."""

    mode: Mode
    after: Seconds


class BoundRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects to an event that served `numbers` numbers of one client already, or another client."""

    mode: Mode
    numbers: int


class ForgedRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects to invented events; beyond `ip` of them from one address, none of its events is looked up."""

    mode: Mode
    ip: list[Window]


class UnavailableDeviceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What applies while Fingerprint is unavailable: `open` under `ip`'s tighter limit, or `closed`."""

    mode: Mode
    fail: Literal["open", "closed"]
    ip: list[Window]


class CodesRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects once so many codes of a day were sent and not entered."""

    mode: Mode
    codes: int


class CaptchaRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects to captchas that were not solved; `fail`: what applies while the provider is unavailable.

    `least_score`, `actions` and `hostnames` (any, if the list is empty) hold where the provider tells them.
    """

    mode: Mode
    fail: Literal["open", "closed"]
    least_score: float
    actions: list[str]
    hostnames: list[str]


class RangeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence in a number's ranges, or more than `above_per_minute` requests in a small one, none converted."""

    mode: Mode
    above_nats: float
    least_unconverted_nats: float
    most_nats_per_tenth: float
    above_per_minute: int


class SourceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence against a source: unconverted sends."""

    mode: Mode
    above_nats: float


class BurstRule(SourceRule, frozen=True, forbid_unknown_fields=True):
    """The same, or more than `above_per_minute` requests, none of them converted."""

    above_per_minute: int


class ShareRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objects above a share of at least `least_numbers`."""

    mode: Mode
    above_share: float
    least_numbers: int


class CountryRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence against a whole country; beyond `alarm_above_nats` it adds to that against its parts."""

    mode: Mode
    above_nats: float
    most_nats_per_million: float
    alarm_above_nats: float
    most_alarm_nats: float


class SequenceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers too close together: -log10 of the chance, or so many at equal distances."""

    mode: Mode
    above_log10: float
    numbers_at_one_distance: int


class SpikeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day's unconverted sends exceed all three: `above_sends`, a share of the peak, a share of the converted ones."""

    mode: Mode
    above_sends: float
    above_share_of_peak: float
    above_share_of_converted: float


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table for each rule."""

    number: NumberRule
    number_unknown: UnknownNumberRule
    country: PlainRule
    landline: PlainRule
    block: PlainRule
    captcha: CaptchaRule
    bot: PlainRule
    suspect_score: AboveRule
    confidence: BelowRule
    event_replayed: PlainRule
    event_stale: FreshRule
    event_forged: ForgedRule
    event_bound: BoundRule
    event_ip: PlainRule
    event_linked: PlainRule
    event_incomplete: PlainRule
    no_event: PlainRule
    device_unread: UnavailableDeviceRule
    tampering: PlainRule
    tor: PlainRule
    vpn: PlainRule
    proxy: PlainRule
    hosting: PlainRule
    virtual_machine: PlainRule
    ip_country: PlainRule
    device: PlainRule
    phone_everywhere: PlainRule
    number_unconverted: CodesRule
    sequential: SequenceRule
    range: RangeRule
    country_spike: SpikeRule
    country_conversion: CountryRule
    ip_conversion: SourceRule
    burst: BurstRule
    unverified_share: ShareRule
    device_numbers: AboveRule
    many_countries: AboveRule


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


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price list: its source and date, and the prices of countries without their own."""

    currency: str
    source: str
    dated: str
    by_channel: dict[Channel, float]
    countries: dict[str, dict[Channel, float]]


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be spent in a day (UTC), in the currency of the prices; 0 means no budget.

    `unconverted_…`: how many sends of a day to one country may go out for nothing, as fraud.countries counts them.
    """

    everything: float
    each_country: float
    countries: dict[str, float]
    unconverted_times_busiest: float
    unconverted_least: int
    unconverted_countries: dict[str, float]


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
