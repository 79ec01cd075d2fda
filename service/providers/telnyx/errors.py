"""What a Telnyx error means: whose fault it is, what it affects, and its short code.

Called by providers.telnyx.answers and providers.telnyx.probe. Pure. It must never pass on a text of Telnyx's: they
repeat the number.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Literal

import msgspec

from service.providers.http.reply import HttpReply, decode

# Five digits, or a word: with anything longer that has digits, a phone number could pass for a code.
_CODE = re.compile(r"[0-9]{5}|[a-z_]{1,32}")
_UNREADABLE = "unreadable"

NOT_FOUND = "10005"

ErrorScope = Literal["number", "request", "everything", "key", "account", "funds", "profile", "unknown"]

# Every code that Telnyx's guides name, and what would meet the same error with the next send: only this number or
# request, everything for now (throttled), or everything until somebody corrects it. The spend limit comes with 429, and
# belongs to a profile. "Not found" for a send means its profile: the only thing in it that Telnyx may not know.
SCOPES: dict[str, ErrorScope] = {
    "10002": "number",  # not a number
    "10016": "number",  # not in E.164
    "40020": "number",  # its traffic is blocked for a day
    "40309": "number",  # destination not allowed
    "40331": "number",  # destination not enabled
    "10015": "request",
    "10027": "request",
    "10011": "everything",
    "10009": "key",
    "10010": "key",
    "10038": "account",  # its level does not allow it
    "10039": "account",
    "20012": "funds",
    "20100": "funds",
    "40333": "profile",  # its spend limit
    NOT_FOUND: "unknown",
}
_OURS = frozenset({"key", "account", "funds", "profile"})
# Ours whatever the code: no key, no money.
_OUR_STATUSES = frozenset({401, 402})

_REFUSALS = range(400, 500)

# Something between us and Telnyx gave up waiting, so Telnyx may have acted: 408, a gateway's 504, Cloudflare's 524.
_LATE = frozenset({408, 504, 524})

ErrorClass = Literal["ours", "throttled", "late", "down", "forbidden", "unknown", "refused"]


class _Error(msgspec.Struct):
    code: str | int | None = None


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


_errors = msgspec.json.Decoder(_Errors)


def sort_fault(reply: HttpReply) -> tuple[ErrorClass, str]:
    """Classify an error, 400 and 422 alike, by errors[0].code. Without such a code a gateway answered, not Telnyx.

    A code that is not listed refuses this number only: if it stopped everybody, a stranger could stop everybody.
    """
    code = _read_code(reply.body)
    named = code or f"http_{reply.status}"
    scope = SCOPES.get(named)
    if scope in _OURS or reply.status in _OUR_STATUSES:
        return "ours", named
    if scope == "everything" or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled", named
    if reply.status in _LATE:
        return "late", named
    if code is None or reply.status not in _REFUSALS:
        return "down", named
    if scope == "unknown":
        return "unknown", named
    return ("forbidden" if reply.status == HTTPStatus.FORBIDDEN else "refused"), named


def concerns_profile(code: str) -> bool:
    """Return whether one of our own faults, by its code, is only its profile's."""
    return SCOPES.get(code) in {"profile", "unknown"}


def concerns_funds(code: str) -> bool:
    """Return whether this code means that the account has no money."""
    return SCOPES.get(code) == "funds" or code == "http_402"


def _read_code(body: bytes) -> str | None:
    read = decode(_errors, body)
    if not read or not read.errors:
        return None
    code = str(read.errors[0].code)
    return code if _CODE.fullmatch(code) else _UNREADABLE
