"""The values in which a policy is written: windows, lengths of time, moments.

Read by policy.values from the text, and used by policy.model and whatever counts. Holds no default.
"""

from __future__ import annotations

from datetime import datetime


class Window:
    """At most `max` in any `seconds`."""

    __slots__ = ("max", "seconds")

    def __init__(self, most: int, seconds: float) -> None:
        self.max = most
        self.seconds = seconds

    def __repr__(self) -> str:
        """Write it as in the policy."""
        return f"{self.max}/{self.seconds:g}s"


class Seconds(float):
    """A length of time in seconds, written in the policy as "30s" or "5m"."""

    __slots__ = ()


class SecondsOrOff(float):
    """The same, or "off", which is 0."""

    __slots__ = ()


class Moment:
    """A moment, written in the policy as a date or a date with its time (UTC, unless it says otherwise); "" is none."""

    __slots__ = ("at",)

    def __init__(self, at: datetime | None) -> None:
        self.at = at

    def __repr__(self) -> str:
        """Write it as in the policy."""
        return str(self.at or '""')
