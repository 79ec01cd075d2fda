"""Sealed client results: the event that the browser itself brought, opened with our keys. No call is made.

Made by providers.vendors, for fraud.gathering and for admission. It must never raise for what a stranger sent; an event
that it opens is as real as one that Fingerprint returns.
"""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.providers.fingerprint.bodies import MOST_BYTES, DecodedEvent
from service.providers.fingerprint.event import (
    FRESH_FOR,
    EventAnswer,
    EventFound,
    EventMalformed,
    EventUnavailable,
    EventUnknown,
    FingerprintAccountProblem,
    check_time,
)
from service.providers.fingerprint.v3_body import read_v3
from service.providers.fingerprint.v4_body import read_v4

_HEADER = bytes.fromhex("9E85DCED")
_NONCE = slice(4, 16)
_CIPHERTEXT = slice(16, None)
_LEAST_BYTES = 32  # header, nonce, tag


class Sealed:
    """Opens with any of `keys` (32 bytes each), the newest first: add a new key here before Fingerprint uses it."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Without a key every result is Ours: a client sends what we cannot open."""
        self._keys = [AESGCM(key) for key in keys]

    def read(self, sealed: str, *, now: datetime, fresh_for: float = FRESH_FOR) -> EventAnswer:
        """Open one, in base64. What no key opens is Unknown; what is not sealed, or from the future, is Malformed."""
        raw = _unpack(sealed)
        if raw is None:
            return EventMalformed()
        if not self._keys:
            return FingerprintAccountProblem("no_sealed_key")
        packed = self._decrypt(raw)
        if packed is None:
            return EventUnknown("no_key_opens")
        body = _inflate(packed)
        event = EventUnavailable("unreadable") if body is None else _read(body)
        if isinstance(event, EventUnknown | EventUnavailable):
            return event
        return check_time(event.observed_at, now, fresh_for) or EventFound(event)

    def _decrypt(self, raw: bytes) -> bytes | None:
        for key in self._keys:
            try:
                return key.decrypt(raw[_NONCE], raw[_CIPHERTEXT], None)
            except InvalidTag:
                continue
        return None


def _unpack(sealed: str) -> bytes | None:
    try:
        raw = binascii.a2b_base64(sealed, strict_mode=True)
    except ValueError:
        return None
    return raw if raw.startswith(_HEADER) and len(raw) >= _LEAST_BYTES else None


def _read(body: bytes) -> DecodedEvent:
    """Read an event of either API; it must contain its own id."""
    read = read_v4(body)
    return read_v3(body) if isinstance(read, EventUnavailable) else read


def _inflate(packed: bytes) -> bytes | None:
    """Inflate up to the largest size of an event; None if it is not deflated."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, MOST_BYTES)
    except zlib.error:
        return None
