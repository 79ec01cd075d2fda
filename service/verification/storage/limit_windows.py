"""Limits as the SQL functions take them: arrays of subject kind, count and seconds.

Called by store and owed. The arrays are encoded once, as text: else the driver would encode every element again with
every call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from service.db.calls import write
from service.policy.model import Lockout, Policies, Policy
from service.policy.units import Window

# Each is the column of a verification (of an Admission) that holds the subject. Those of address and account count what
# was not converted; beside them the totals count everything of the same subject.
LimitKind = Literal[
    "phone_limit", "ip_limit", "ip_total", "account_limit", "account_total", "source_budget", "total_budget"
]
# The windows of one policy, or of several, as `write` has them.
Written = tuple[str, ...]


class LimitWindow(msgspec.Struct, frozen=True):
    """At most `max` hits of a subject in any `seconds`."""

    kind: LimitKind
    max: int
    seconds: float


class PolicyLimitWindow(msgspec.Struct, frozen=True):
    """The same, for the items whose policy has the number `set`."""

    set: int
    kind: LimitKind
    max: int
    seconds: float


class GuessLimits(msgspec.Struct, frozen=True):
    """How many wrong codes one policy allows: of a verification, and of its number within some seconds.

    `known_for`: how many seconds a source stays known.
    """

    codes: int
    source_max: int
    source_seconds: float
    total_max: int
    total_seconds: float
    known_for: float


def windows_of(policy: Policy) -> list[tuple[LimitKind, Window]]:
    """List every window of a policy with its kind."""
    limits, lockout = policy.limits, policy.lockout
    kinds: dict[LimitKind, list[Window]] = {
        "phone_limit": limits.phone,
        "ip_limit": limits.ip,
        "ip_total": limits.ip_total,
        "account_limit": limits.account,
        "account_total": limits.account_total,
        "source_budget": [lockout.codes_per_phone],
        "total_budget": [lockout.codes_per_phone_total],
    }
    return [(kind, window) for kind, windows in kinds.items() for window in windows]


def columns_of(policy: Policy) -> Written:
    """Write one policy's windows."""
    return write(LimitWindow(kind, window.max, window.seconds) for kind, window in windows_of(policy))


def joined(policies: Iterable[Policy]) -> Written:
    """Write several policies' windows."""
    return write(
        PolicyLimitWindow(policy.number, kind, window.max, window.seconds)
        for policy in policies
        for kind, window in windows_of(policy)
    )


def guess_limits(policies: Iterable[Policy]) -> Written:
    """Write the limits of guesses of several policies, in their order."""
    return write(_limits_of(policy.lockout) for policy in policies)


def _limits_of(lockout: Lockout) -> GuessLimits:
    source, total = lockout.codes_per_phone, lockout.codes_per_phone_total
    return GuessLimits(
        lockout.codes_per_verification, source.max, source.seconds, total.max, total.seconds, lockout.sources_known_for
    )


def widest(policies: Policies) -> int:
    """Return how many hits a counter must keep: an address counts over all clients, so over all policies."""
    return max(window.max for policy in policies for window in [*_asked(policy), *_called(policy)])


def _asked(policy: Policy) -> list[Window]:
    return [window for _, window in windows_of(policy)]


def _called(policy: Policy) -> list[Window]:
    return [*policy.operators.calls, *policy.operators.searches]
