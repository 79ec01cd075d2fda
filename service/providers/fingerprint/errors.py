"""What a Fingerprint reply without an event means: the visitor's fault, ours or theirs.

Called by providers.fingerprint.client. Pure. It must never pass on a text of theirs, nor the id that was asked for.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from service.providers.fingerprint.event import EventUnavailable, EventUnknown, FingerprintAccountProblem, QuotaSpent
from service.providers.http.reply import HttpReply, HttpResult, NoReply, decode, read_reset

NOT_FOUND = "not_found"
NOT_AN_ID = "not_an_id"
NOT_READY = "state_not_ready"

# Fingerprint's own codes are plain words, in v3 written together.
_CODE = re.compile(r"[A-Za-z_]{1,40}")
_SERVER_ERROR = 500
_REQUEST_TIMEOUT = 408
# The codes of v4, and of v3.
_NOT_PARSED = frozenset({"request_cannot_be_parsed", "RequestCannotBeParsed"})
_NOT_FOUND = frozenset({"event_not_found", "RequestNotFound"})
_NOT_READY = frozenset({"state_not_ready", "StateNotReady"})
# A call that Fingerprint took in and would not answer; 408 is its network's word.
_REFUSED = frozenset(range(400, 500)) - {_REQUEST_TIMEOUT}


class _ErrorDetail(msgspec.Struct):
    code: Any = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorDetail | None = None


_errors = msgspec.json.Decoder(_ErrorBody)


def sort_fault(
    reply: HttpReply, now: float
) -> EventUnknown | QuotaSpent | EventUnavailable | FingerprintAccountProblem:
    """Classify an unsuccessful reply. `now`: unix time.

    Only the two codes that speak of the id count against the event. Any other refusal is of the call: if that made
    events unknown, one wrong FINGERPRINT_BASE_URL, or a fault of theirs, would make everybody a forger.
    """
    code = _read_code(reply.body)
    named = code or f"http_{reply.status}"
    match reply.status:
        case 400 if code in _NOT_PARSED:
            return EventUnknown(NOT_AN_ID)
        case 404 if code in _NOT_FOUND:
            return EventUnknown(NOT_FOUND)
        case 409 if code in _NOT_READY:
            return EventUnavailable(NOT_READY)
        case 429:
            return QuotaSpent(read_reset(reply.reset, now))
        case status if status in _REFUSED:
            return FingerprintAccountProblem(named)
        case _:
            return EventUnavailable(named)


def is_outage(heard: HttpResult) -> bool:
    """Return whether a call shows that Fingerprint is not working."""
    return isinstance(heard, NoReply) or heard.status >= _SERVER_ERROR or heard.status == _REQUEST_TIMEOUT


def _read_code(body: bytes) -> str | None:
    read = decode(_errors, body)
    code = read.error.code if read and read.error else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
