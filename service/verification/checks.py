"""Check a code: reserve a guess, check it with every send at once, settle, and answer on the step.

Made by verification.core: api calls check, a round of the worker calls settle_lost. A guess is committed before the
provider is asked, so that no number of callers, crashes or lost replies buys another one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Literal, assert_never
from uuid import UUID

import msgspec

from service import telemetry
from service.clients.caller import Caller
from service.db.batch import Waiting
from service.errors import (
    Closed,
    GuessesInFlight,
    NotAuthorized,
    NotFound,
    OtherRequestSameKey,
    SameKeyInFlight,
    Unavailable,
)
from service.fraud.judge import Judge
from service.policy.model import Policy
from service.providers.verify.protocol import CheckAnswer, CodeCompared, InDoubt, NotCompared, Provider, State
from service.vault import new_id
from service.verification.activity import Activity
from service.verification.gate import Gate
from service.verification.senders import Senders
from service.verification.states import GuessResult, SendToCheck, Status
from service.verification.storage.rows import Reserved, Settled, Unsettled
from service.verification.storage.store import Store

# A code that is not right is answered at the next whole step after it came, so that the time of checking does not show.
STEP = 0.5
# How long after a request or fallback its send may still be under way, and how often a check looks for it (seconds).
ON_ITS_WAY = 1.0
LOOK_AGAIN = 0.04
# With less time than this (seconds) until its step, a code that is not right is settled at once.
HASTE = 0.1
# What the provider says of a guess; `lost`: nobody can say yet, and it is not settled.
CheckResult = GuessResult | Literal["lost"]


class Checked(msgspec.Struct, frozen=True):
    """What the caller is told of a checked code."""

    id: UUID
    status: Status
    verified: bool
    remaining: int
    replayed: bool


class Checks:
    """Checks codes: one guess each."""

    def __init__(
        self, store: Store, judge: Judge, senders: Senders, gate: Gate, activity: Activity | None = None
    ) -> None:
        """`activity` counts the codes that were entered."""
        self._activity = activity if activity is not None else Activity()
        self._judge = judge
        # asyncio keeps only weak references to tasks: one that nobody holds can vanish before it has run.
        self._crediting: set[asyncio.Task[None]] = set()
        self._store = store
        self._senders = senders
        self._gate = gate

    async def check(
        self, caller: Caller, row: UUID, code: str, idem: UUID | None = None, body: UUID | None = None,
        *, waiting: Waiting | None = None,
    ) -> Checked:  # fmt: skip
        """Check one code; `waiting`: the caller that waits for it.

        Raises NotAuthorized, NotFound, Closed, GuessesInFlight, SameKeyInFlight, OtherRequestSameKey, Unavailable.
        """
        # Before the reservation: a slow one must not move the step on which the reply comes.
        came = time.monotonic()
        self._gate.check_provider(caller.policy)
        guess = new_id()
        reserved = await self._store.reserve(caller, row, guess, idem, body, waiting=waiting)
        _refuse(reserved)
        if reserved.outcome == "replayed":
            # At once, not on a step: whoever repeats a key was told this before.
            status = reserved.status or "pending"
            return Checked(row, status, verified=bool(reserved.verified), remaining=reserved.remaining, replayed=True)
        # From the age of the caller's own last call: from the state of the sends, its time would tell whether there is
        # one.
        ripe = came + _round_up(ON_ITS_WAY - max(0.0, reserved.age or 0.0))
        sends = await self._await_sends(row, reserved.sends, ripe)
        early = max(0.0, ripe - time.monotonic())
        asked = self._asked(sends, test=bool(reserved.test), channels=reserved.channels or 1)
        result = await self._check_all(asked, code)
        telemetry.guesses_of(result).inc()
        urgent = is_urgent(result, time.monotonic() - came + early)
        settled = await self._settle(row, guess, result, caller.policy, urgent=urgent)
        if not (settled and settled.verified):
            await _wait_for_step(came, early)
        if settled is None or result == "returned":
            reason = f"the provider's answer was {result}"
            raise Unavailable(reason)
        return Checked(row, settled.status, verified=settled.verified, remaining=settled.remaining, replayed=False)

    async def _settle(
        self, row: UUID, guess: UUID, result: CheckResult, policy: Policy, *, urgent: bool = True
    ) -> Settled | None:  # fmt: skip
        # Not given back: a connection that an attacker cuts would be a free guess.
        if result == "lost":
            await self._store.leave_open(guess)
            return None
        settled = await self._store.settle(guess, result, policy, urgent=urgent)
        if settled.verified:
            self._activity.note_converted(row)
            self._credit(row)
        return settled

    def _credit(self, row: UUID) -> None:
        """Tell the histories after the reply that the send converted. A crash loses this, which hardly matters."""
        task = asyncio.create_task(self._judge.credit(row))
        self._crediting.add(task)
        task.add_done_callback(self._credited)

    def _credited(self, task: asyncio.Task[None]) -> None:
        self._crediting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            telemetry.log.warning("credit_failed", exc_info=task.exception())

    async def finish(self) -> None:
        """Wait until the histories were told of every code that was entered. Called at a stop."""
        await asyncio.gather(*self._crediting, return_exceptions=True)

    async def settle_lost(self, guess: Unsettled, policy: Policy) -> None:
        """Settle a guess whose answer was lost, by its sends' state at the provider; later if that is unavailable."""
        # As `check` counts them: a channel that followed by itself was not asked for, and a decoy has none.
        wanted = sum(send.cause in ("request", "press") for send in guess.sends)
        result = await self._ask_states(self._asked(guess.sends, test=guess.test, channels=max(1, wanted)))
        await self._settle(guess.verification_id, guess.id, result, policy)

    async def _await_sends(self, row: UUID, sends: list[SendToCheck], ripe: float) -> list[SendToCheck]:
        """Wait for sends that are under way: a right code that comes quickly must not be compared before there is one.

        When they arrive is up to the provider and must not show. So a code that is not right is answered as if its
        checking had begun on the step at which no send can be under way, which only the caller's own calls decide.
        """
        while any(send.state in ("due", "begun") for send in sends) and time.monotonic() < ripe:
            await asyncio.sleep(LOOK_AGAIN)
            sends = await self._store.sends(row)
        return sends

    def _asked(self, sends: Sequence[SendToCheck], *, test: bool, channels: int) -> list[tuple[Provider, str]]:
        """List what to ask: every send that the provider accepted, and the decoy provider for each other channel.

        As many are asked as the caller used channels: how often none of them can judge must not reveal what became of
        each.
        """
        # Only what was sent has an id to ask by; a send in doubt has none.
        taken = [(self._senders.named(send.provider), send.provider_id or "") for send in sends if send.state == "sent"]
        real = [(provider, held) for provider, held in taken if provider is not None]
        return real + [(self._senders.choose(test=test, allow=False), "")] * (channels - len(real))

    async def _check_all(self, asked: Sequence[tuple[Provider, str]], code: str) -> CheckResult:
        """Return how a guess ends, once every send has been asked.

        right, wrong, returned (certainly not compared), accepted (reply lost, but some code was accepted) or lost (not
        known yet). If one send compared and another did not, the guess is spent: it is wrong.
        """
        answers = await self._ask(asked, code)
        # One is enough: a code belongs to one channel, and the others are bound to find it wrong.
        if CodeCompared(accepted=True) in answers:
            return "right"
        # Not wrong because another one compared: the channel whose reply was lost may be the one that accepted.
        if any(isinstance(answer, InDoubt) for answer in answers):
            return await self._ask_states(asked)
        return "wrong" if any(isinstance(answer, CodeCompared) for answer in answers) else "returned"

    async def _ask(self, asked: Sequence[tuple[Provider, str]], code: str) -> list[CheckAnswer]:
        """Ask every send at once; return the answers until one accepted the code."""
        calls = [self._senders.check(provider, held, code) for provider, held in asked]
        if len(calls) == 1:
            return [await calls[0]]
        answers: list[CheckAnswer] = []
        for answer in asyncio.as_completed(calls):
            answers.append(await answer)
            # The others are not waited for, or a right code would be as slow as the slowest channel.
            if answers[-1] == CodeCompared(accepted=True):
                break
        return answers

    async def _ask_states(self, asked: Sequence[tuple[Provider, str]]) -> CheckResult:
        states = await asyncio.gather(*(provider.state(held) for provider, held in asked))
        if any(state == State(accepted=True) for state in states):
            return "accepted"
        # One that cannot be read may be the one that accepted: settled as wrong now, a right code would never verify.
        return "lost" if any(isinstance(state, NotCompared) for state in states) else "wrong"


def _refuse(reserved: Reserved) -> None:
    match reserved.outcome:
        case "unauthorized":
            raise NotAuthorized
        case "unknown":
            raise NotFound
        case "closed":
            raise Closed(reserved.status or "expired")
        case "busy":
            raise GuessesInFlight
        case "in_flight":
            raise SameKeyInFlight
        case "mismatch":
            raise OtherRequestSameKey
        # The last two stay in the store.
        case "reserved" | "replayed" | "held" | "withdrawn":
            return
        case _:
            assert_never(reserved.outcome)


def is_urgent(result: CheckResult, passed: float) -> bool:
    """Say whether a guess is settled at once, so many seconds after it came.

    A right code's caller waits for that. Any other caller waits for a step, unless that has all but come.
    """
    return result in ("right", "accepted") or _round_up(passed) - passed < HASTE


async def _wait_for_step(came: float, early: float) -> None:
    """Wait for the step on which a check that began later by `early` would be answered."""
    passed = time.monotonic() - came
    await asyncio.sleep(_round_up(passed + early) - passed)


def _round_up(seconds: float) -> float:
    return max(0, math.ceil(seconds / STEP)) * STEP
