"""The calls of a product backend as bytes, as benchmarks.load sends them, each for another number and address.

Numbers are valid ones of a few area codes, so that their ranges soon have histories as in production, and drawn,
so that no rule takes them for an attack. None is called.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import msgspec

from service import phone

AREAS = (212, 312, 415, 713)
CODE, WRONG_CODE = "123456", "000000"

_encode = msgspec.json.Encoder().encode


def _draw_numbers() -> Iterator[str]:
    dice, drawn = random.Random(0), set[str]()
    while True:
        number = f"+1{dice.choice(AREAS)}{dice.randint(200, 998)}{dice.randint(0, 9999):04}"
        if number not in drawn and phone.describe(number).valid:
            drawn.add(number)
            yield number


numbers = _draw_numbers()


def ask(key: str, *, event: bool = False) -> bytes:
    """Request a verification of the next number, with an event of its user's browser or without."""
    number = next(numbers)
    body = {"phone_number": number, "ip_address": address_of(number)}
    if event:
        body["device_event_id"] = make_event(_place_of(number))
    return _write(key, "POST", "/v1/verifications", body)


def address_of(number: str) -> str:
    """Return the address that a number's user has."""
    return _write_address(_place_of(number))


def make_event(place: int) -> str:
    """Make the id of an event of this moment, which says where it was made."""
    return f"{int(time.time() * 1_000)}.{place:06x}"


def address_in(event: str) -> str:
    """Return the address at which an event was made."""
    return _write_address(int(event.rpartition(".")[2], 16))


def number_in(request: bytes) -> str:
    """Return the number that a request is for."""
    return str(msgspec.json.decode(request.partition(b"\r\n\r\n")[2])["phone_number"])


def guess(key: str, row: str, code: str = CODE) -> bytes:
    """Verify a code."""
    return _write(key, "POST", f"/v1/verifications/{row}/verify", {"code": code})


def health() -> bytes:
    """Ask whether the process answers: what HTTP alone costs."""
    return _write("", "GET", "/healthz")


def _place_of(number: str) -> int:
    return random.Random(number).randrange(1 << 24)


def _write_address(place: int) -> str:
    return f"73.{place >> 16}.{place >> 8 & 255}.{place & 255}"


def _write(key: str, method: str, path: str, body: object = None) -> bytes:
    content = _encode(body) if body is not None else b""
    lines = [
        f"{method} {path} HTTP/1.1",
        "host: 127.0.0.1",
        f"authorization: Bearer {key}",
        "content-type: application/json",
        f"content-length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content
