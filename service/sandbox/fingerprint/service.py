"""Fingerprint's state: the events that were made, and their sealed form.

Called by sandbox.fingerprint.app, the demo's backend and tests in the same process. It knows no HTTP.
"""

from __future__ import annotations

import base64
import secrets
import time
import zlib

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.sandbox.fingerprint.events import FingerprintEvent, Mint, mint_event
from service.sandbox.fingerprint.shapes import describe_v3, describe_v4

KEPT = 100_000
"""Events held; the oldest is dropped for the next."""

_SEALED_HEADER = bytes.fromhex("9E85DCED")
_NONCE_BYTES = 12


class FingerprintSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The stand-in's settings. `sealed_key`: 32 bytes; made if missing."""

    secret_key: str = "SANDBOX_FINGERPRINT_SECRET"  # noqa: S105  it opens nothing but this stand-in
    sealed_key: bytes | None = None


class Minted(msgspec.Struct, frozen=True):
    """What the browser would hold of an event. `sealed_result` is base64."""

    event_id: str
    sealed_result: str


class SimulatedFingerprint:
    """All of Fingerprint that the gateway uses."""

    def __init__(self, settings: FingerprintSettings | None = None) -> None:
        self.settings = settings or FingerprintSettings()
        self._sealed_key = self.settings.sealed_key or secrets.token_bytes(32)
        self._events: dict[str, FingerprintEvent] = {}

    @property
    def sealed_key(self) -> str:
        """The key of sealed results in base64, as FINGERPRINT_SEALED_KEYS expects it."""
        return base64.b64encode(self._sealed_key).decode()

    def mint(self, order: Mint | None = None) -> Minted:
        """Make an event to order and keep it."""
        event = mint_event(order or Mint())
        if len(self._events) >= KEPT:
            del self._events[next(iter(self._events))]
        self._events[event.id] = event
        return Minted(event.id, self._seal(event))

    def find(self, event_id: str) -> FingerprintEvent | None:
        """Return one event, once it is visible."""
        event = self._events.get(event_id)
        return event if event is not None and time.monotonic() >= event.visible_at else None

    def _seal(self, event: FingerprintEvent) -> str:
        body = describe_v3(event) if event.order.sealed_api == "v3" else describe_v4(event)
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = deflate.compress(msgspec.json.encode(body)) + deflate.flush()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        # AESGCM appends the tag, which is where Fingerprint has it.
        sealed = AESGCM(self._sealed_key).encrypt(nonce, packed, None)
        return base64.b64encode(_SEALED_HEADER + nonce + sealed).decode()
