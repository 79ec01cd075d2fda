"""A Fingerprint that costs little: it answers every id, in v4 and v3, with an event of a real one's size.

Started by benchmarks.devices in a process of its own. `python -m benchmarks.devices_stub SECONDS` waits so long before
each answer, and prints its port.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop

from benchmarks.outbound_stub import Stub
from benchmarks.requests import address_in
from service.sandbox.fingerprint.events import Mint, mint_event
from service.sandbox.fingerprint.shapes import describe_v3, describe_v4

# The vendor's own example has 8 kB, most of which is not decoded here.
_BALLAST = [{"name": f"attribute {number}", "value": [number, 0.5, True, None, "x" * 40]} for number in range(80)]

EVENT = mint_event(Mint())


def write_v4() -> bytes:
    return msgspec.json.encode(describe_v4(EVENT) | {"raw_device_attributes": _BALLAST})


def write_v3() -> bytes:
    body = describe_v3(EVENT)
    body["products"]["rawDeviceAttributes"] = {"data": {"all": _BALLAST}}
    return msgspec.json.encode(body)


_V4, _V3 = write_v4(), write_v3()


def answer(path: bytes) -> bytes:
    """Return the event that is asked for: of its own time, its own visitor, at the address that its id names."""
    asked = path.partition(b"?")[0].rsplit(b"/", 1)[-1]
    made_at, _, place = asked.partition(b".")
    body = _V4 if path.startswith(b"/v4/") else _V3
    return (
        body.replace(EVENT.id.encode(), asked)
        .replace(str(EVENT.made_at).encode(), made_at)
        .replace(EVENT.visitor_id.encode(), b"visitor" + made_at + place)
        .replace(EVENT.order.ip.encode(), address_in(asked.decode()).encode())
    )


class Fingerprint(Stub):
    """Answers every id."""

    def _answer(self, path: bytes, body: bytes) -> None:  # noqa: ARG002  as Stub has it
        self._write(answer(path))


async def main(seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Fingerprint(seconds), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
