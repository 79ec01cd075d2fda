"""Telnyx and Fingerprint at one address, in a process of their own, for little CPU: they must not be what binds.

Started by benchmarks.environment: `python -m benchmarks.vendors_stub SECONDS` prints its port. Both answer after so
many seconds; /control/pace/SECONDS changes that, and /control/sends tells what was sent since it was asked last.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import ClassVar

import msgspec
import uvloop

from benchmarks import devices_stub, outbound_stub
from benchmarks.outbound_stub import Stub

CONTROL, TELNYX, CHECK = b"/control/", b"/v2/", b"/actions/verify"


class Call(msgspec.Struct, array_like=True):
    """A send that came: its number, and the unix time."""

    phone_number: str
    at: float


class _Order(msgspec.Struct):
    phone_number: str


_read = msgspec.json.Decoder(_Order).decode


class Vendors(Stub):
    """One connection of a gateway, or of the measurement."""

    pace: ClassVar[float] = 0.0
    sends: ClassVar[list[Call]] = []

    def _take(self, path: bytes, body: bytes) -> None:
        if path.startswith(CONTROL):
            self._write(self._obey(path.removeprefix(CONTROL)))
            return
        if body and path.startswith(TELNYX) and not path.endswith(CHECK):
            self.sends.append(Call(_read(body).phone_number, time.time()))
        self._seconds = self.pace
        super()._take(path, body)

    def _answer(self, path: bytes, body: bytes) -> None:
        self._write(outbound_stub.answer(path, body) if path.startswith(TELNYX) else devices_stub.answer(path))

    def _obey(self, order: bytes) -> bytes:
        name, _, value = order.partition(b"/")
        if name == b"pace":
            Vendors.pace = float(value)
        told = msgspec.json.encode(self.sends)
        self.sends.clear()
        return told


async def main(seconds: float) -> None:
    """Serve until the process is ended."""
    Vendors.pace = seconds
    server = await asyncio.get_running_loop().create_server(lambda: Vendors(0.0), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
