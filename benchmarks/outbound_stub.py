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

from benchmarks.requests import CODE

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
_RIGHT = _encode({"code": CODE})
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
            _, found, rest = self._received[:end].lower().partition(b"content-length:")
            start, end = end, end + (int(rest.split(b"\r\n", 1)[0]) if found else 0)
            if len(self._received) < end:
                return
            path, body = self._received.split(b" ", 2)[1], self._received[start:end]
            self._received = self._received[end:]
            self._take(path, body)

    def _take(self, path: bytes, body: bytes) -> None:
        asyncio.get_running_loop().call_later(self._seconds, self._answer, path, body)

    def _answer(self, path: bytes, body: bytes) -> None:
        self._write(answer(path, body))

    def _write(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_HEAD.format(len(body)).encode() + body)


def answer(path: bytes, body: bytes) -> bytes:
    """Return Telnyx's answer: a new verification, or whether a code is the one that it takes."""
    if path.endswith(b"/actions/verify"):
        code = "accepted" if body == _RIGHT else "rejected"
        return _encode({"data": {"phone_number": _RECORD["phone_number"], "response_code": code}})
    return _encode({"data": _RECORD | {"id": str(uuid.uuid4())}})


async def main(seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Stub(seconds), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1])))
