"""Telnyx's signature of a webhook: Ed25519 over "timestamp|body", valid for five minutes.

Called by webhook, with the raw body. Logs nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service.providers.verify.protocol import SignatureFault

TOLERANCE = 300
SIGNATURE, TIMESTAMP = "telnyx-signature-ed25519", "telnyx-timestamp"


def find_fault(public_key: bytes, headers: Mapping[str, str], body: bytes) -> SignatureFault | None:
    """Say why a webhook cannot be taken for one that the key's other half signed just now; None where it can."""
    signature, timestamp = headers.get(SIGNATURE, ""), headers.get(TIMESTAMP, "")
    if is_signed(public_key, signature, timestamp, body):
        return None
    if not signature:
        return "no_signature"
    return "other_key" if is_current(timestamp) else "stale"


def is_signed(public_key: bytes, signature: str, timestamp: str, body: bytes) -> bool:
    """Return whether the body was signed with the matching private key, about now (seconds, this host's clock)."""
    if not is_current(timestamp):
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw, timestamp.encode() + b"|" + body)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def is_current(timestamp: str) -> bool:
    """Return whether a signature's time is about now, by this host's clock."""
    return timestamp.isascii() and timestamp.isdigit() and abs(time.time() - int(timestamp[:12])) <= TOLERANCE
