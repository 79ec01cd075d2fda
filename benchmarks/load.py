"""Load over HTTP from a process of its own: requests that are ready as bytes, on connections that stay open.

Used by the measurements through `Load`. Cheap (some 20 us a request), so that it leaves the machine to what is
measured. It repeats nothing: an answer that is not a 2xx is for the caller to judge.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, cast

import msgspec
import uvloop

PATIENCE = 30.0
SETTLE = 0.01  # seconds in which the loop learns what was closed while it stood still


class Answer(msgspec.Struct, array_like=True):
    """One answer. `began`: unix time at which its request was to go; `seconds` from then to its last byte."""

    status: int
    began: float
    seconds: float
    body: Any

    @property
    def id(self) -> str:
        """The verification's id."""
        return str(self.body["id"])


class Load:
    """A process that sends what it is given."""

    def __init__(self, port: int) -> None:
        """Aim at one port of this machine."""
        self._port = port
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    async def play(self, asks: Sequence[bytes], *, connections: int = 0, rate: float = 0.0) -> list[Answer]:
        """Send everything: on so many connections as fast as they answer, or `rate` a second, come what may.

        Arrivals at a rate come as a Poisson process does.
        """
        work = (self._port, list(asks), connections, rate)
        answers = await asyncio.get_running_loop().run_in_executor(self._pool, _play, *work)
        return msgspec.convert(answers, list[Answer])

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


class _Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""
        self._answered: asyncio.Future[tuple[int, bytes]] | None = None

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) == int(length or 0) and self._answered:
            self._received = b""
            self._answered.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError())


class _Lines:
    """The connections of this process, which outlive a play."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[_Connection] = []

    async def open(self, count: int) -> None:
        """Open this many, besides those that the other side has closed since the last play."""
        await asyncio.sleep(SETTLE)
        self._free = [line for line in self._free if line.is_open]
        for _ in range(count - len(self._free)):
            self._free.append(await self._connect())

    async def send(self, request: bytes, began: float) -> tuple[int, float, float, Any]:
        line = self._take_open() or await self._connect()
        status, body = await line.ask(request)
        seconds = time.time() - began
        self._free.append(line)
        return status, began, seconds, body

    def _take_open(self) -> _Connection | None:
        while self._free:
            if (line := self._free.pop()).is_open:
                return line
        return None

    async def _connect(self) -> _Connection:
        _, line = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self._port)
        return line


_loop: asyncio.AbstractEventLoop | None = None
_lines: dict[int, _Lines] = {}


def _play(port: int, asks: list[bytes], connections: int, rate: float) -> list[tuple[int, float, float, Any]]:
    global _loop  # noqa: PLW0603  the loop belongs to the connections, which stay open between plays
    _loop = _loop or uvloop.new_event_loop()
    lines = _lines.setdefault(port, _Lines(port))
    play = _at_rate(lines, asks, rate) if rate else _as_fast_as_answered(lines, asks, connections)
    answers = _loop.run_until_complete(asyncio.wait_for(play, PATIENCE))
    return [(status, began, seconds, _read(body)) for status, began, seconds, body in answers]


def _read(body: bytes) -> object:
    return msgspec.json.decode(body) if body[:1] == b"{" else None


async def _as_fast_as_answered(
    lines: _Lines, asks: list[bytes], connections: int
) -> list[tuple[int, float, float, Any]]:
    left = iter(asks)
    answers = []

    async def work() -> None:
        for request in left:
            answers.append(await lines.send(request, time.time()))  # noqa: PERF401  several do this at once

    await lines.open(connections)
    await asyncio.gather(*(work() for _ in range(connections)))
    return answers


async def _at_rate(lines: _Lines, asks: list[bytes], rate: float) -> list[tuple[int, float, float, Any]]:
    loop = asyncio.get_running_loop()
    await lines.open(16)
    sent, at = [], time.time()
    for request in asks:
        at += random.expovariate(rate)
        if (wait := at - time.time()) > 0:
            await asyncio.sleep(wait)
        sent.append(loop.create_task(lines.send(request, at)))
    return await asyncio.gather(*sent)
