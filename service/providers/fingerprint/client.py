"""Looks device events up: what is judged before a call, how often and how long Fingerprint is asked, and when not.

Implements `Devices` over one of Fingerprint's APIs (providers.fingerprint.v4 or providers.fingerprint.v3). Made by
providers.vendors, for fraud.gathering. It must never delay a dispatch past its deadline, nor ask for what is not an id.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import datetime
from typing import Literal, Protocol

from service.providers.fingerprint.bodies import DecodedEvent
from service.providers.fingerprint.errors import NOT_FOUND, NOT_READY, is_outage, sort_fault
from service.providers.fingerprint.event import (
    FRESH_FOR,
    EventAnswer,
    EventFound,
    EventUnavailable,
    EventUnknown,
    QuotaSpent,
    check_id,
    check_time,
    read_time,
)
from service.providers.http.circuit_breaker import CircuitBreaker
from service.providers.http.reply import HttpResult, NoReply

HOSTS: dict[Literal["us", "eu", "ap"], str] = {
    "us": "https://api.fpjs.io",
    "eu": "https://eu.api.fpjs.io",
    "ap": "https://ap.api.fpjs.io",
}

# Seconds.
CALL = 1.5
YOUNG = 10.0  # an event this young may not have reached all of their servers
AGAIN = 0.4
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
SHORTEST_CALL = 0.05
TELLING_CALL = 0.5

_dice = random.SystemRandom()


class FingerprintApi(Protocol):
    """One version of Fingerprint's server API."""

    name: str

    async def start(self) -> None:
        """Import what is slow to import."""

    async def ask(self, event_id: str, seconds: float) -> HttpResult:
        """Make one call of at most `seconds`. Raises nothing but cancellation."""

    def read(self, body: bytes, asked: str) -> DecodedEvent:
        """Read the event in the body of a successful reply."""

    async def aclose(self) -> None: ...


class FingerprintClient:
    """Implements `Devices`. `seconds`: the time limit of one call; a look-up can take several, up to its deadline.

    `longest_pause`: for so long at most a 429 is believed.
    """

    def __init__(
        self,
        api: FingerprintApi,
        *,
        seconds: float = CALL,
        breaker: CircuitBreaker | None = None,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        """Open nothing yet."""
        self.name = api.name
        self.breaker = breaker or CircuitBreaker()
        self._api = api
        self._seconds = seconds
        self._longest_pause = longest_pause
        self._paused_until = 0.0

    async def start(self) -> None:
        """Import what is slow to import; else the first look-up would wait for it."""
        await self._api.start()

    async def read(self, event_id: str, *, now: datetime, deadline: float, fresh_for: float = FRESH_FOR) -> EventAnswer:
        """Look one event up by `deadline` (monotonic, in seconds). `now`: the time against which its age is counted."""
        unfit = check_id(event_id, now, fresh_for)
        if unfit:
            return unfit
        answer = await self._look_up(event_id, deadline, young=_is_young(event_id, now))
        if isinstance(answer, EventFound):
            # An id could contain another time than its event's own.
            return check_time(answer.event.observed_at, now, fresh_for) or answer
        return answer

    async def aclose(self) -> None:
        await self._api.aclose()

    async def _look_up(self, event_id: str, deadline: float, *, young: bool) -> EventAnswer:
        """Ask, and ask again if that can help: once for a young id that is not found, else until the deadline.

        That is while the quota is spent, or the event is not ready.
        """
        pause = FIRST_PAUSE
        wait = self._draw_wait()
        answer: EventAnswer = QuotaSpent(wait) if wait else EventUnavailable("no_time")
        while _fits(wait, deadline):
            if wait:
                await asyncio.sleep(wait)
            answer = await self._ask(event_id, deadline)
            if isinstance(answer, QuotaSpent):
                self._pause(answer.after)
                wait, pause = self._draw_wait(pause), pause * 2
            elif answer == EventUnavailable(NOT_READY):
                wait, pause = pause, pause * 2
            elif young and answer == EventUnknown(NOT_FOUND):
                # If there is no time to ask again, nothing is proven against the visitor.
                wait, young, answer = AGAIN, False, EventUnavailable("not_found_yet")
            else:
                break
        return answer

    async def _ask(self, event_id: str, deadline: float) -> EventAnswer:
        if not self.breaker.admit():
            return EventUnavailable("breaker_open")
        seconds = min(self._seconds, deadline - time.monotonic())
        heard = await self.breaker.watch(self._api.ask(event_id, seconds))
        self._tell_breaker(heard, seconds)
        if isinstance(heard, NoReply):
            return EventUnavailable(heard.code)
        if not heard.success:
            return sort_fault(heard, time.time())
        event = self._api.read(heard.body, event_id)
        return event if isinstance(event, EventUnknown | EventUnavailable) else EventFound(event)

    def _tell_breaker(self, heard: HttpResult, seconds: float) -> None:
        if _is_telling(heard, seconds):
            self.breaker.note(outage=is_outage(heard))
        else:
            self.breaker.release()

    def _pause(self, after: float) -> None:
        self._paused_until = max(self._paused_until, time.monotonic() + min(after, self._longest_pause))

    def _draw_wait(self, least: float = 0.0) -> float:
        """Return the seconds to wait: one throttled call holds back all others, and all must not come back at once."""
        wait = max(least, self._paused_until - time.monotonic())
        return wait * _dice.uniform(1.0, 1.5) if wait else 0.0


def _is_young(event_id: str, now: datetime) -> bool:
    made_at = read_time(event_id)
    return made_at is not None and (now - made_at).total_seconds() < YOUNG


def _is_telling(heard: HttpResult, seconds: float) -> bool:
    """Return whether a call says anything of Fingerprint: not if it had too little time, or spent it in our queue."""
    if isinstance(heard, NoReply) and heard.code == "time_limit":
        return heard.handed_over and seconds >= TELLING_CALL
    return True


def _fits(wait: float, deadline: float) -> bool:
    return time.monotonic() + wait + SHORTEST_CALL <= deadline
