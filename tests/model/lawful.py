"""What a caller may be told, from the caller's own calls, the clock and the guesses counted: the contract, in Python.

Used by machine. Knows no database and nothing of the gateway but its documented behaviour.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime, timedelta

import msgspec

MICROSECOND = timedelta(microseconds=1)
Window = tuple[int, float]  # how many, in how many seconds


class Rules(msgspec.Struct, frozen=True):
    """The policy of the model, in its own words."""

    phone: tuple[Window, ...] = ((2, 20.0), (4, 150.0))
    ip: tuple[Window, ...] = ((4, 60.0),)
    account: tuple[Window, ...] = ((2, 60.0),)
    codes: int = 3
    codes_of_source: Window = (4, 200.0)
    codes_of_number: Window = (5, 200.0)
    expires: float = 60.0
    after: float = 10.0
    order: tuple[str, ...] = ("sms", "call", "flashcall")


class Who(msgspec.Struct, frozen=True):
    """Who asks, as the client says it."""

    client: str
    phone: str
    address: str
    account: str | None = None


class Expected(msgspec.Struct):
    """One verification as its caller must see it."""

    id: str
    who: Who
    deliver: bool
    created_at: datetime
    expires_at: datetime
    pressed_at: datetime
    used: list[str]
    ended: str | None = None
    wrong: int = 0


class Lawful:
    """The model. Every method takes the time; none changes anything before it knows that the call is lawful."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.verifications: dict[str, Expected] = {}
        self._places: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
        self._guesses: dict[tuple[str, ...], list[datetime]] = defaultdict(list)

    # --- what limits say ---

    def wait_for_request(self, who: Who, now: datetime) -> int:
        """Return the Retry-After of a request, 0 when it has to be taken."""
        wait = max(self._wait_for_places(who, now, account=True), self._wait_for_guesses(who, now))
        return max(1, math.ceil(wait)) if wait > 0 else 0

    def _wait_for_places(self, who: Who, now: datetime, *, account: bool) -> float:
        rules = self.rules
        limits = [(("phone", who.client, who.phone), rules.phone), (("ip", who.address), rules.ip)]
        if account and who.account is not None:
            limits.append((("account", who.client, who.account), rules.account))
        return max(_wait(self._places[subject], window, now) for subject, windows in limits for window in windows)

    def _wait_for_guesses(self, who: Who, now: datetime) -> float:
        return max(_wait(self._guesses[subject], window, now) for subject, window in self._budgets(who))

    def _budgets(self, who: Who) -> list[tuple[tuple[str, ...], Window]]:
        source = who.account if who.account is not None else who.address
        number = (who.client, who.phone)
        return [((*number, source), self.rules.codes_of_source), (number, self.rules.codes_of_number)]

    def remaining(self, one: Expected, now: datetime) -> int:
        """Return how many guesses are left for a verification."""
        budgets = [
            window[0] - _count(self._guesses[subject], window, now) for subject, window in self._budgets(one.who)
        ]
        return max(0, min(self.rules.codes - one.wrong, *budgets))

    # --- what a caller reads ---

    def status(self, one: Expected, now: datetime) -> str:
        """Return the status that must be read now."""
        if one.ended is not None:
            return one.ended
        if one.expires_at <= now:
            return "expired"
        return "locked" if self.remaining(one, now) == 0 else "pending"

    def offer(self, one: Expected, now: datetime) -> tuple[str, datetime] | None:
        """Return the next channel that is offered, and from when on."""
        channel = next((channel for channel in self.rules.order if channel not in one.used), None)
        if self.status(one, now) != "pending" or channel is None:
            return None
        return channel, one.pressed_at + timedelta(seconds=self.rules.after)

    # --- what a caller does ---

    def take_request(self, verification: str, who: Who, now: datetime, *, deliver: bool) -> Expected:
        """Count a request that was answered 202."""
        self._count(who, now, account=True)
        one = Expected(
            id=verification, who=who, deliver=deliver, created_at=now, pressed_at=now, used=["sms"],
            expires_at=now + timedelta(seconds=self.rules.expires),
        )  # fmt: skip
        self.verifications[verification] = one
        return one

    def use_fallback(self, one: Expected, now: datetime) -> tuple[int, int | None]:
        """Use the next channel; return the status that has to be answered, and its Retry-After."""
        offered = self.offer(one, now)
        if offered is None:
            return 409, None
        channel, available_at = offered
        if available_at > now:
            return 409, max(1, math.ceil((available_at - now).total_seconds()))
        if (wait := self._wait_for_places(one.who, now, account=False)) > 0:
            return 429, max(1, math.ceil(wait))
        self._count(one.who, now, account=False)
        one.used.append(channel)
        one.pressed_at = now
        longest = one.created_at + timedelta(minutes=10)
        one.expires_at = min(max(one.expires_at, now + timedelta(minutes=2)), longest)
        return 202, None

    def judge(self, one: Expected, now: datetime, *, right: bool) -> None:
        """Count a guess that was judged."""
        subjects = [subject for subject, _ in self._budgets(one.who)]
        if right:
            one.ended = "verified"
            for subject in subjects:
                self._guesses[subject].clear()
            return
        # Two at one moment are told apart by the microsecond.
        newest = max((times[-1] for subject in subjects if (times := self._guesses[subject])), default=now)
        for subject in subjects:
            self._guesses[subject].append(max(now, newest + MICROSECOND if newest >= now else now))
        one.wrong += 1
        one.ended = None if (status := self.status(one, now)) == "pending" else status

    def cancel(self, one: Expected, now: datetime) -> int:
        """Cancel; return the status that has to be answered."""
        if self.status(one, now) != "pending":
            return 409
        one.ended = "canceled"
        return 200

    def _count(self, who: Who, now: datetime, *, account: bool) -> None:
        self._places["phone", who.client, who.phone].append(now)
        self._places["ip", who.address].append(now)
        if account and who.account is not None:
            self._places["account", who.client, who.account].append(now)


def _count(times: list[datetime], window: Window, now: datetime) -> int:
    return sum(time > now - timedelta(seconds=window[1]) for time in times)


def _wait(times: list[datetime], window: Window, now: datetime) -> float:
    """Return in how many seconds a window has a place again; 0 or less when it has one."""
    most, seconds = window
    if len(times) < most:
        return 0.0
    return (times[-most] - now).total_seconds() + seconds
