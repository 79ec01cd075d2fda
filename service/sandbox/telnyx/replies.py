"""Replies as Telnyx writes them: records, lists and errors, with the codes that the gateway reads.

Called by the modules beside it. The vendor's specification documents only 400; other statuses are noted where they were
chosen.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

import msgspec

from service.sandbox.faults import Fault
from service.sandbox.wire import HTML, JSON, Declined, StandInReply

_encode = msgspec.json.Encoder().encode

_TITLES = {
    "10002": "Invalid phone number",
    "10005": "Resource not found",
    "10009": "Authentication failed",
    "10010": "Authorization failed",
    "10011": "Too many requests",
    "10015": "Bad request",
    "10016": "Phone number must be in +E.164 format",
    "20100": "Insufficient funds",
    "40309": "Destination not allowed",
    "40333": "Spend limit reached",
}

# Kind of fault: HTTP status and code. The statuses of 40309 and 20100 are guesses; the codes are Telnyx's.
_FAULTS = {
    "refuse": (400, "40309"),
    "throttle": (429, "10011"),
    "unauthorized": (401, "10009"),
    "forbidden": (403, "10010"),
    "not_found": (404, "10005"),
    "no_funds": (403, "20100"),
    "spend_limit": (429, "40333"),
}


def record(data: Any) -> StandInReply:
    """Return one record."""
    return StandInReply(200, _encode({"data": data}))


def listing(data: list[Any], total: int) -> StandInReply:
    """Return one page of records, always the first."""
    meta = {"page_number": 1, "page_size": 20, "total_pages": -(-total // 20), "total_results": total}
    return StandInReply(200, _encode({"data": data, "meta": meta}))


def error(status: int, code: str, detail: str, pointer: str | None = None) -> StandInReply:
    """Return one error. Telnyx's details repeat what was sent, numbers included, and so do these."""
    body: dict[str, Any] = {
        "code": code,
        "title": _TITLES.get(code, code),
        "detail": detail,
        "meta": {"url": f"https://developers.telnyx.com/docs/overview/errors/{code}"},
    }
    if pointer is not None:
        body["source"] = {"pointer": pointer}
    return StandInReply(status, _encode({"errors": [body]}))


def decline(status: int, code: str, detail: str, pointer: str | None = None) -> Declined:
    """Return the exception that ends a call with an error."""
    return Declined(error(status, code, detail, pointer))


def refuse_destination(phone_number: str) -> StandInReply:
    """Return the refusal of one number on one channel."""
    return error(*_FAULTS["refuse"], f"The destination {phone_number} is not allowed.", "/phone_number")


def word_fault(fault: Fault) -> StandInReply:
    """Return the reply that a fault demands."""
    if fault.kind == "error500":
        # Not JSON, as from a proxy on the way: the gateway must not expect Telnyx's shape in a 5xx.
        return StandInReply(500, b"<html><body>Internal Server Error</body></html>", (HTML,))
    status, code = _FAULTS.get(fault.kind, (fault.status, fault.code))
    reply = error(status, code, f"{_TITLES.get(code, code)} ({fault.phone_number or 'any number'}).")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return StandInReply(status, reply.body, (JSON, *_limit_headers(fault)))
    return reply


def _limit_headers(fault: Fault) -> list[tuple[bytes, bytes]]:
    # An epoch in `seconds` is passed on whole: the real header is seen both ways.
    reset = fault.seconds if fault.seconds < time.time() / 2 else int(fault.seconds)
    return [
        (b"x-ratelimit-limit", b"100"),
        (b"x-ratelimit-remaining", b"0"),
        (b"x-ratelimit-reset", f"{reset:g}".encode() if isinstance(reset, float) else b"%d" % reset),
    ]
