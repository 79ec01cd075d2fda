"""Plays sends and checks against one gateway, window by window, and notes what each window cost.

Used by sends, workers and breakdown. A send is counted whole: its window ends when the last one is recorded,
so that nothing that it began is missing; a check's when what follows its answer is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks import requests as asks
from benchmarks.cpu import of_family
from benchmarks.environment import Environment
from benchmarks.figures import Figures, note
from benchmarks.gateway import Gateway
from benchmarks.load import Answer
from benchmarks.report import percentile
from benchmarks.vendors import Vendors

SEND, RIGHT, WRONG = "whole send", "check, right code", "check, wrong code"
SERVICE, POSTGRES, TOGETHER = "service", "PostgreSQL", "together"
SENDS, CHECKS = "sends pressed, until the last is out", "checks pressed"
AFTERWARDS = 0.15  # seconds in which what follows an answer is done
ACCEPTED, OK = 202, 200


class Disturbed(RuntimeError):
    """A window was not what it should have been: the gateway could not answer all, as on a machine that is too busy."""


class Pace(NamedTuple):
    """How the load comes: `items` in a window, at a rate, or on so many connections as fast as they are answered."""

    name: str
    items: int
    rate: float = 0.0
    connections: int = 0


QUIET, BUSY = Pace("20 a second", 30, rate=20), Pace("200 a second", 200, rate=200)
PRESSED = Pace("pressed", 400, connections=64)
# A wrong code is answered at its step: so many connections offer at most twice as many a second.
PRESSED_WRONG = PRESSED._replace(connections=128)


class Meter:
    """One gateway under measurement, and the figures that were taken of it since `figures` was emptied."""

    def __init__(self, house: Environment, gateway: Gateway, vendors: Vendors, postmaster: int) -> None:
        self.house = house
        self.gateway = gateway
        self._vendors = vendors
        self._clocks = {SERVICE: gateway.cpu, POSTGRES: of_family(postmaster)}
        self.figures: Figures = {}

    async def send(self, pace: Pace) -> list[str]:
        """Make sends with device events; return the verifications' ids."""
        requests = [asks.ask(self.house.key, event=True) for _ in range(pace.items)]
        await self._vendors.forget()
        before = self._read()
        answers = await self._play(requests, ACCEPTED, pace)
        calls = await self._vendors.wait_for(pace.items)
        await self.house.wait_until_sent()
        self._note_cost(SEND, pace, before)
        began = min(answer.began for answer in answers)
        if pace.connections:
            rate = pace.items / (max(call.at for call in calls) - began)
            note(self.figures, SENDS, rate, "a second", more=True)
        else:
            self._note_replies(f"reply to a request, {pace.name}", answers)
        return [answer.id for answer in answers]

    async def check(self, name: str, rows: Sequence[str], pace: Pace) -> None:
        """Give one code for each verification."""
        code = asks.CODE if name == RIGHT else asks.WRONG_CODE
        requests = [asks.guess(self.house.key, row, code) for row in rows]
        before = self._read()
        answers = await self._play(requests, OK, pace)
        await asyncio.sleep(AFTERWARDS)
        self._note_cost(name, pace, before)
        if any(answer.body["verified"] != (name == RIGHT) for answer in answers):
            raise RuntimeError("a code was compared wrongly")
        if pace.connections and name == RIGHT:
            took = max(answer.began + answer.seconds for answer in answers) - min(answer.began for answer in answers)
            note(self.figures, CHECKS, len(answers) / took, "a second", more=True)

    async def reach(self, pace: Pace) -> None:
        """Time sends without a device event from their request to the call at Telnyx."""
        requests = [asks.ask(self.house.key) for _ in range(pace.items)]
        await self._vendors.forget()
        answers = await self._play(requests, ACCEPTED, pace)
        began = {asks.number_in(one): answer.began for one, answer in zip(requests, answers, strict=True)}
        calls = await self._vendors.wait_for(pace.items)
        times = [(call.at - began[call.phone_number]) * 1_000 for call in calls]
        for share in (0.5, 0.95):
            note(self.figures, f"request to call, {pace.name}, p{share * 100:.0f}", percentile(times, share), "ms")
        await self._convert(answers)

    async def reply(self, pace: Pace, seconds: float) -> None:
        """Time the replies to requests while the vendors take so many seconds."""
        requests = [asks.ask(self.house.key, event=True) for _ in range(pace.items)]
        await self._vendors.forget()
        async with self._vendors.slow(seconds):
            answers = await self._play(requests, ACCEPTED, pace)
            await self._vendors.wait_for(pace.items)
        self._note_replies(f"reply to a request, vendors at {seconds * 1_000:.0f} ms", answers)
        await self._convert(answers)

    async def _convert(self, answers: Sequence[Answer]) -> None:
        await self.house.wait_until_sent()
        await self._play([asks.guess(self.house.key, answer.id) for answer in answers], OK, PRESSED)
        await asyncio.sleep(AFTERWARDS)

    async def _play(self, requests: Sequence[bytes], status: int, pace: Pace) -> list[Answer]:
        answers = await self.gateway.load.play(requests, connections=pace.connections, rate=pace.rate)
        if other := [answer for answer in answers if answer.status != status]:
            raise Disturbed(f"{pace}: {len(other)} of {len(answers)} were answered {other[0].status}, not {status}")
        return answers

    def _read(self) -> dict[str, float]:
        return {name: clock() for name, clock in self._clocks.items()}

    def _note_cost(self, name: str, pace: Pace, before: dict[str, float]) -> None:
        spent = {part: (now - before[part]) * 1_000 / pace.items for part, now in self._read().items()}
        for part, cost in (spent | {TOGETHER: sum(spent.values())}).items():
            note(self.figures, name_cost(name, pace, part), cost, "ms")

    def _note_replies(self, name: str, answers: Sequence[Answer]) -> None:
        times = [answer.seconds * 1_000 for answer in answers]
        for share in (0.5, 0.99):
            note(self.figures, f"{name}, p{share * 100:.0f}", percentile(times, share), "ms")


def name_cost(name: str, pace: Pace, part: str) -> str:
    """Name the figure of what one costs."""
    return f"CPU of a {name}, {pace.name}: {part}"
