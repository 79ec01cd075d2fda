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
Name = tuple[str, ...]
# Of addresses and accounts what was not converted counts, under a total of so many times as much. After so many codes
# that were entered there is a place more for each.
GIVEN_BACK = ("ip", "account")
TIMES, FREE = 6, 4
Limits = list[tuple[Name, tuple[Window, ...]]]


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

    def names(self) -> list[Name]:
        """List the names under which this source may be known, the strongest first."""
        if self.account is None:
            return [(self.client, self.phone, "at", self.address)]
        account = (self.client, self.phone, "as", self.account)
        return [(*account, self.address), account]


class Place(msgspec.Struct):
    """What one request or fallback took of a limit; `converted`: its code was entered."""

    at: datetime
    converted: bool = False


class Expected(msgspec.Struct):
    """One verification as its caller must see it. `known`: the known source that it came from, if it came from one."""

    id: str
    who: Who
    deliver: bool
    created_at: datetime
    expires_at: datetime
    channel_used_at: datetime
    used: list[str]
    known: Name | None = None
    ended: str | None = None
    wrong: int = 0
    places: list[Place] = []


class Lawful:
    """The model. Every method takes the time; none changes anything before it knows that the call is lawful."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.verifications: dict[str, Expected] = {}
        self._places: dict[Name, list[Place]] = defaultdict(list)
        self._guesses: dict[Name, list[datetime]] = defaultdict(list)
        self._known: set[Name] = set()

    # --- what limits say ---

    def wait_for_request(self, who: Who, now: datetime) -> int:
        """Return the Retry-After of a request, 0 when it has to be taken."""
        known = self.find_known(who)
        limits, budgets = self._limits(who, known, account=True), self._budgets(who, known)
        wait = max(self._wait_for_places(limits, now), *(_wait(self._guesses[s], window, now) for s, window in budgets))
        return max(1, math.ceil(wait)) if wait > 0 else 0

    def find_known(self, who: Who) -> Name | None:
        """Find the known source that somebody asks from now."""
        return next((name for name in who.names() if name in self._known), None)

    def _limits(self, who: Who, known: Name | None, *, account: bool) -> Limits:
        """List what a request (or, without the account, a fallback) counts in: a known source's, or strangers'."""
        limits: Limits = [
            (("phone", *(known or (who.client, who.phone))), self.rules.phone),
            (("ip", who.address), self.rules.ip),
        ]
        if account and who.account is not None:
            limits.append((("account", *(known or (who.client, who.account))), self.rules.account))
        return limits

    def _wait_for_places(self, limits: Limits, now: datetime) -> float:
        return max(
            _wait_for_place(self._places[subject], window, now, given_back=subject[0] in GIVEN_BACK)
            for subject, windows in limits
            for window in windows
        )

    def _budgets(self, who: Who, known: Name | None) -> list[tuple[Name, Window]]:
        number: Name = known or (who.client, who.phone)
        source: Name = ("known",) if known else ("from", who.account or "", who.address)
        return [((*number, *source), self.rules.codes_of_source), (number, self.rules.codes_of_number)]

    def remaining(self, one: Expected, now: datetime) -> int:
        """Return how many guesses are left for a verification."""
        budgets = [
            window[0] - _count(self._guesses[subject], window, now)
            for subject, window in self._budgets(one.who, one.known)
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
        return channel, one.channel_used_at + timedelta(seconds=self.rules.after)

    # --- what a caller does ---

    def take_request(self, verification: str, who: Who, now: datetime, *, deliver: bool) -> Expected:
        """Count a request that was answered 202."""
        known = self.find_known(who)
        one = Expected(
            id=verification, who=who, deliver=deliver, created_at=now, channel_used_at=now, used=["sms"], known=known,
            expires_at=now + timedelta(seconds=self.rules.expires),
        )  # fmt: skip
        self._count(one, self._limits(who, known, account=True), now)
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
        limits = self._limits(one.who, one.known, account=False)
        if (wait := self._wait_for_places(limits, now)) > 0:
            return 429, max(1, math.ceil(wait))
        self._count(one, limits, now)
        one.used.append(channel)
        one.channel_used_at = now
        longest = one.created_at + timedelta(minutes=10)
        one.expires_at = min(max(one.expires_at, now + timedelta(minutes=2)), longest)
        return 202, None

    def count_guess(self, one: Expected, now: datetime, *, right: bool) -> None:
        """Count a guess that was compared."""
        subjects = [subject for subject, _ in self._budgets(one.who, one.known)]
        if right:
            one.ended = "verified"
            for place in one.places:
                place.converted = True
            self._known.update(one.who.names())
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

    def _count(self, one: Expected, limits: Limits, now: datetime) -> None:
        places = [Place(now) for _ in limits]
        for (subject, _), place in zip(limits, places, strict=True):
            self._places[subject].append(place)
        one.places = [*one.places, *places]


def _count(times: list[datetime], window: Window, now: datetime) -> int:
    return sum(time > now - timedelta(seconds=window[1]) for time in times)


def _wait(times: list[datetime], window: Window, now: datetime) -> float:
    """Return in how many seconds a window has a place again; 0 or less when it has one."""
    most, seconds = window
    if len(times) < most:
        return 0.0
    return (times[-most] - now).total_seconds() + seconds


def _wait_for_place(places: list[Place], window: Window, now: datetime, *, given_back: bool) -> float:
    """Return in how many seconds a limit's window lets one in; 0 or less when it does now."""
    most, seconds = window
    if not given_back:
        return _wait([place.at for place in places], window, now)

    def is_open(after: float) -> bool:
        inside = [place for place in places if (now - place.at).total_seconds() + after < seconds]
        converted = sum(place.converted for place in inside)
        return len(inside) - converted < most + max(0, converted - FREE) and len(inside) < TIMES * most

    moments = sorted({0.0, *(seconds - (now - place.at).total_seconds() for place in places)})
    return next(moment for moment in moments if moment >= 0 and is_open(moment))
