"""The result of one HTTP call: a reply or none, and how to decode it without ever raising.

Filled by providers.http.client, read by every provider. Pure. It must never put a text of the other side into an error.
"""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec

_SUCCESS = range(200, 300)
_UNNAMED_WAIT = 1.0
_LONGEST_WAIT = 3600.0
_EPOCH = 1e9

T = TypeVar("T")


class HttpReply(msgspec.Struct, frozen=True):
    """A reply whose status arrived. `body`: empty if it broke off or was too long.

    `reset`: the header that says when to come back, x-ratelimit-reset or else retry-after. `date`: the header Date.
    """

    status: int
    body: bytes = b""
    reset: str | None = None
    date: str | None = None

    @property
    def success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in _SUCCESS


class NoReply(msgspec.Struct, frozen=True):
    """No reply. `handed_over`: whether any of the request may have left this process."""

    handed_over: bool
    code: str


HttpResult = HttpReply | NoReply


def read_reset(reset: str | None, now: float) -> float:
    """Return the seconds to wait, at most an hour, from seconds or an epoch (over 1e9); 1 if there is neither."""
    try:
        value = float(reset or "")
    except ValueError:
        return _UNNAMED_WAIT
    if not math.isfinite(value):
        return _UNNAMED_WAIT
    return min(max(value - now if value > _EPOCH else value, 0.0), _LONGEST_WAIT)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    """Decode a body; None if it is not what the decoder expects, in whatever way."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
