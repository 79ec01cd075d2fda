"""What an error of Telnyx's means: whose fault, and by which short code.

Called by providers.telnyx_answers. Pure. It must never pass on a text of Telnyx's: they repeat the number.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from service.providers.heard import Reply, decode

# Five digits, or a word: nothing longer with digits in it, or a phone number could pass for a code.
_CODE = re.compile(r"[0-9]{5}|[a-z_]{1,32}")
_UNREADABLE = "unreadable"

# Key, permissions, account level, funds, spend limit (which comes with 429).
OURS = frozenset({"10009", "10010", "10038", "10039", "20012", "20100", "40333"})
THROTTLED = "10011"
NOT_FOUND = "10005"

# Somebody on the way gave up waiting, so Telnyx may have acted: 408, a gateway's 504, Cloudflare's 524.
_LATE = frozenset({408, 504, 524})

Fault = Literal["ours", "throttled", "late", "down", "forbidden", "unknown", "refused"]


class _Error(msgspec.Struct):
    code: str | int | None = None


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


_errors = msgspec.json.Decoder(_Errors)


def sort_fault(reply: Reply) -> tuple[Fault, str]:
    """Sort an error, 400 and 422 alike by errors[0].code. Without such a code a gateway spoke, not Telnyx."""
    code = _read_code(reply.body)
    named = code or f"http_{reply.status}"
    if code in OURS or reply.status in {401, 402}:
        return "ours", named
    if code == THROTTLED or reply.status == 429:  # noqa: PLR2004
        return "throttled", named
    if reply.status in _LATE:
        return "late", named
    if code is None or not 400 <= reply.status < 500:  # noqa: PLR2004
        return "down", named
    if code == NOT_FOUND:
        return "unknown", named
    return ("forbidden" if reply.status == 403 else "refused"), named  # noqa: PLR2004


def _read_code(body: bytes) -> str | None:
    read = decode(_errors, body)
    if not read or not read.errors:
        return None
    code = str(read.errors[0].code)
    return code if _CODE.fullmatch(code) else _UNREADABLE
