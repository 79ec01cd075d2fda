"""The calls of a product backend as bytes, as benchmarks.load sends them, each for another number and address.

Numbers are valid ones of a few area codes, so that their ranges soon have histories as in production, and drawn,
so that no rule takes them for an attack. None is called.
"""

from __future__ import annotations

import random
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


def ask(key: str) -> bytes:
    """Request a verification of the next number."""
    number = next(numbers)
    return _write(key, "POST", "/v1/verifications", {"phone_number": number, "ip_address": address_of(number)})


def address_of(number: str) -> str:
    """Return the address that a number's user has."""
    at = random.Random(number).randrange(1 << 24)
    return f"100.{at >> 16}.{at >> 8 & 255}.{at & 255}"


def number_in(request: bytes) -> str:
    """Return the number that a request is for."""
    return str(msgspec.json.decode(request.partition(b"\r\n\r\n")[2])["phone_number"])


def guess(key: str, row: str, code: str = CODE) -> bytes:
    """Verify a code."""
    return _write(key, "POST", f"/v1/verifications/{row}/verify", {"code": code})


def health() -> bytes:
    """Ask whether the process answers: what HTTP alone costs."""
    return _write("", "GET", "/healthz")


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
