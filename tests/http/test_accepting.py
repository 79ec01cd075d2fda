"""A connection is accepted soon even while a process is busy, so that its request can at least be answered 503."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from service.cli.process.loop import Loop

CONNECTIONS = 200
# One a turn would need as many turns as there are connections.
TURNS = CONNECTIONS // 8


class Counted(asyncio.Protocol):
    """Counts those that were taken."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        type(self).taken += 1
        transport.close()


async def test_many_connections_are_taken_in_few_turns_and_none_once_the_server_is_closed() -> None:
    def serve() -> int:
        loop = Loop()
        with contextlib.closing(loop):
            return loop.run_until_complete(count_turns(loop))

    assert await asyncio.to_thread(serve) <= TURNS


async def count_turns(loop: Loop) -> int:
    """Return how many turns it took to take all that had connected during a long one."""
    Counted.taken = 0
    server = await loop.create_server(Counted, "127.0.0.1", 0, backlog=2048)
    address = server.sockets[0].getsockname()
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(address))
        turns = 0
        while Counted.taken < CONNECTIONS and turns < 10 * CONNECTIONS:
            await asyncio.sleep(0)
            turns += 1
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    return turns
