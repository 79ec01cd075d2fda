"""The rules' settings: a struct for each kind of rule, and one table with them all.

Read by policy.model and fraud.rules. Does no I/O and decides nothing: what a rule does is in fraud.rules.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from service.phone import NumberKind
from service.policy.units import Seconds, Window

Mode = Literal["off", "observe", "enforce"]


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
