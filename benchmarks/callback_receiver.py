"""Receivers of callbacks, in a process of their own: `python -m benchmarks.callback_receiver`, which prints its port.

Started by benchmarks.callbacks alone. /hang never answers; every other path takes what comes. GET /told returns what
was taken since the last time. Cheap, so that it leaves the machine to what is measured.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import msgspec
import uvloop

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Told(msgspec.Struct, array_like=True):
    """One callback that came. `names`: of its headers, with the length of each value."""

    at: float
    path: str
    names: list[str]
    body: str


class Receiver(asyncio.Protocol):
    """One connection of the gateway."""

    told: list[Told] = []  # noqa: RUF012 (of the whole process)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        values = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in headers)}
        if not found or len(body) < int(values.get("content-length", "0")):
            return
        self._received = b""
        method, path, _ = line.split(" ")
        if method == "GET":
            self._tell()
            return
        self.told.append(
            Told(time.time(), path, [f"{name} {len(value)}" for name, value in values.items()], body.decode())
        )
        if path != "/hang":
            self._transport.write(TAKEN)

    def _tell(self) -> None:
        body = msgspec.json.encode(self.told)
        self.told.clear()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def serve() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(uvloop.run(serve()))
