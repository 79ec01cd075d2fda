"""A Telnyx that costs little and skips nothing: it reads each request whole and answers it with its own id.

Started by benchmarks.outbound in a process of its own, so that its CPU is nobody else's. `python -m
benchmarks.outbound_stub SECONDS` waits so long before each answer, and prints its port.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from typing import cast

import msgspec
import uvloop

_encode = msgspec.json.Encoder().encode

_MOMENT = "2020-09-14T17:03:32.965812"
_RECORD: dict[str, object] = {
    "created_at": _MOMENT,
    "custom_code": None,
    "phone_number": "+13035551234",
    "record_type": "verification",
    "status": "pending",
    "timeout_secs": 305,
    "type": "sms",
    "updated_at": _MOMENT,
    "verify_profile_id": "12ade33a-21c0-473b-b055-b3c836e1c292",
}
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\r\n"


class Stub(asyncio.Protocol):
    """One connection, kept alive; pipelined requests are answered in order."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (at := self._received.find(b"\r\n\r\n")) >= 0:
            end = at + 4
            head = self._received[:end].lower()
            _, found, rest = head.partition(b"content-length:")
            end += int(rest.split(b"\r\n", 1)[0]) if found else 0
            if len(self._received) < end:
                return
            self._received = self._received[end:]
            asyncio.get_running_loop().call_later(self._seconds, self._answer, head.split(b" ", 2)[1])

    def _answer(self, path: bytes) -> None:
        if path.endswith(b"/actions/verify"):
            data = {"phone_number": _RECORD["phone_number"], "response_code": "rejected"}
        else:
            data = _RECORD | {"id": str(uuid.uuid4())}
        body = _encode({"data": data})
        if not self._transport.is_closing():
            self._transport.write(_HEAD.format(len(body)).encode() + body)


async def main(seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Stub(seconds), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
