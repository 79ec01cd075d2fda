"""A process that stands still (a stop, a paused machine, a loop that is blocked) sends nothing late."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from service.providers.heard import Broken
from service.providers.wire import Wire

LIMIT = 0.1


class Ear:
    """A server that takes one connection and never answers; it hears what the kernel already holds."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.connection: socket.socket | None = None

    def hear(self) -> bytes:
        try:
            if self.connection is None:
                self.connection, _ = self.listener.accept()
                self.connection.setblocking(False)
            return self.connection.recv(65536)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.listener.close()
        if self.connection is not None:
            self.connection.close()


@pytest.mark.parametrize("steps", range(1, 12))
async def test_what_was_not_written_within_its_limit_is_never_written(steps: int) -> None:
    ear, wire = Ear(), Wire(1, LIMIT)
    port = ear.listener.getsockname()[1]
    call = asyncio.create_task(wire.call("POST", f"http://127.0.0.1:{port}/", b"{}", LIMIT))
    for _ in range(steps):
        await asyncio.sleep(0)
    time.sleep(2 * LIMIT)
    before = ear.hear()
    outcome = await call
    late = ear.hear()
    ear.close()
    await wire.aclose()
    assert late == b""
    assert isinstance(outcome, Broken)
    assert outcome.handed_over == bool(before)
