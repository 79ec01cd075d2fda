"""Limits as the SQL functions take them: arrays of which kind of subject, how many, in how many seconds.

Called by store. Kinds: 1 phone, 2 ip, 3 account, 4 wrong codes of the source, 5 wrong codes of the number. The arrays
are written down once, as text: the driver would look at every element anew with every call.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.policy.model import Policies, Policy, Window

Columns = tuple[str, str, str]


def windows_of(policy: Policy) -> list[tuple[int, Window]]:
    """List every window of a policy with its kind."""
    limits, lockout = policy.limits, policy.lockout
    kinds = [limits.phone, limits.ip, limits.account, [lockout.codes_per_phone], [lockout.codes_per_phone_total]]
    return [(kind, window) for kind, windows in enumerate(kinds, 1) for window in windows]


def columns_of(policy: Policy) -> Columns:
    """Return one policy's windows as three arrays."""
    pairs = ((kind, window.max, window.seconds) for kind, window in windows_of(policy))
    kinds, maxes, seconds = zip(*pairs, strict=True)
    return _write(kinds), _write(maxes), _write(seconds)


def joined(policies: Iterable[Policy]) -> tuple[str, *Columns]:
    """Return several policies' windows as four arrays, the policy's number first."""
    parts = [
        (policy.number, kind, window.max, window.seconds) for policy in policies for kind, window in windows_of(policy)
    ]
    numbers, kinds, maxes, seconds = (_write(column) for column in zip(*parts, strict=True))
    return numbers, kinds, maxes, seconds


def widest(policies: Policies) -> int:
    """Return how many hits a subject must keep: an address counts over all clients, so over all policies."""
    return max(window.max for policy in policies for window in [*_asked(policy), *_called(policy)])


def _asked(policy: Policy) -> list[Window]:
    return [window for _, window in windows_of(policy)]


def _called(policy: Policy) -> list[Window]:
    return [*policy.operators.calls, *policy.operators.searches]


def _write(values: Iterable[float]) -> str:
    return f"{{{','.join(map(str, values))}}}"
