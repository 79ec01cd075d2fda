"""Whether a provider accepts what we send: for everybody, and for each Verify profile.

Told of every real answer, and of decoys' answers to checks, by verification.senders; asked by verification.gate before
anything is counted; ticked by worker.loop. It knows only profiles, and must never tell numbers or callers apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from service import telemetry
from service.providers.verify.breaker import Clock, ProbedBreaker
from service.providers.verify.protocol import (
    AccountProblem,
    CheckAnswer,
    CodeCompared,
    InDoubt,
    NotCompared,
    Refused,
    SendAnswer,
    Sent,
    TryAgain,
)

# It is down if nothing was accepted for this long (seconds), in so many tries.
SILENCE = 30.0
FAILURES = 3
SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

CountedOperation = Literal["send", "check"]


class Prober(Protocol):
    """Finds out, without harm to anybody, whether a provider accepts sends and checks again."""

    async def can_send(self, reason: str, profile_id: str | None) -> bool:
        """Return whether the trouble named by `reason` is over: for everybody, or for one profile."""

    async def can_check(self) -> bool:
        """Return whether a code would be compared."""


class _Run:
    """Failures of one operation in a row. A throttled call is neither a failure nor an end to them."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._count = 0
        self._since = 0.0

    def fail(self, now: float) -> bool:
        """Count one failure; return whether it is now certain that nothing gets through."""
        if self._count == 0:
            self._since = now
        self._count += 1
        return self._count >= FAILURES and now - self._since >= SILENCE


class ProviderHealth:
    """The health for everybody (key, account, funds, network), and for each profile.

    `profiles`: the ids that the policy and the settings name, with their clients. Nothing is kept of any other.
    """

    def __init__(self, profiles: Mapping[str, Sequence[str]] | None = None, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._runs: dict[CountedOperation, _Run] = {"send": _Run(), "check": _Run()}
        self._all: dict[CountedOperation, ProbedBreaker] = {"send": ProbedBreaker(clock), "check": ProbedBreaker(clock)}
        self.owners = dict(profiles or {})
        self._profiles = {profile_id: ProbedBreaker(clock) for profile_id in self.owners}
        self._paused_until = 0.0

    def trouble(self, profile_id: str | None = None) -> ProbedBreaker | None:
        """Return what keeps everybody, or this profile's clients, from being served; None if nothing does."""
        breakers = (*self._all.values(), self._profiles.get(profile_id or ""))
        return next((breaker for breaker in breakers if breaker and breaker.open), None)

    def reasons_of_profiles(self) -> dict[str, str]:
        """Return the reason for each profile in trouble."""
        return {named: breaker.reason for named, breaker in self._profiles.items() if breaker.reason is not None}

    def paused_for(self) -> float:
        """Return how long (s) every send has to wait because the provider asked for it."""
        return max(0.0, self._paused_until - self._clock())

    def wait_of(self, profile_id: str) -> float:
        """Return how long (s) a send of this profile has to wait, for whatever reason; 0 if it may go."""
        trouble = self.trouble(profile_id)
        return max(self.paused_for(), float(trouble.retry_after) if trouble else 0.0)

    def note(self, answer: SendAnswer, profile_id: str) -> None:
        """Note how a real send ended."""
        match answer:
            case TryAgain(throttled=True):
                self._pause(answer.after)
            case Sent() | Refused():
                self._runs["send"].clear()
                self._all["send"].succeed()
                if profile := self._profiles.get(profile_id):
                    profile.succeed()
            case AccountProblem(code, of_profile=True):
                # The provider accepted our key and looked at the profile, so it is not down.
                self._runs["send"].clear()
                if profile := self._profiles.get(profile_id):
                    self._trip(profile, f"ours_{code}", self.owners[profile_id])
            case AccountProblem(code):
                self._trip(self._all["send"], f"ours_{code}", "everybody")
            case TryAgain() | InDoubt():
                self._fail("send")

    def note_check(self, answer: CheckAnswer) -> None:
        """Note how a check ended."""
        match answer:
            case NotCompared(after=float()):
                self._pause(answer.after)
            case CodeCompared():
                self._runs["check"].clear()
                self._all["check"].succeed()
            case NotCompared(of_profile=True):
                pass
            case NotCompared() | InDoubt():
                self._fail("check")

    async def tick(self, prober: Prober) -> None:
        """Run the probes that are due. Called about once a second."""
        await asyncio.gather(
            self._probe(self._all["send"], prober, None),
            self._probe(self._all["check"], prober, None),
            *(self._probe(breaker, prober, profile_id) for profile_id, breaker in self._profiles.items()),
        )

    async def _probe(self, breaker: ProbedBreaker, prober: Prober, profile_id: str | None) -> None:
        if not breaker.due or breaker.reason is None:
            return
        breaker.probing = True
        well = False
        try:
            checks = breaker is self._all["check"]
            well = await (prober.can_check() if checks else prober.can_send(breaker.reason, profile_id))
        finally:
            breaker.probing = False
            reason = breaker.reason
            breaker.settle(well=well)
        if well:
            telemetry.log.warning("telnyx_well", whose=self.owners.get(profile_id or "", "everybody"), reason=reason)
            self._runs["check" if checks else "send"].clear()

    def _fail(self, operation: CountedOperation) -> None:
        if self._runs[operation].fail(self._clock()):
            self._trip(self._all[operation], "nothing_taken", "everybody")

    def _trip(self, breaker: ProbedBreaker, reason: str, whose: Sequence[str] | str) -> None:
        if breaker.trip(reason):
            telemetry.log.warning("telnyx_down", whose=whose, reason=reason)

    def _pause(self, after: float | None) -> None:
        seconds = min(max(after or 0.0, SHORTEST_PAUSE), LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, self._clock() + seconds)
