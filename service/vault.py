"""What the secret keys are used for: hashes for look-ups, sealing for storage, digests of API keys; and ids.

Called by verification, fraud, api and cli. Nothing here logs, and no key leaves it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

from asyncpg.pgproto import pgproto
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# asyncpg's own, which is made four times faster than the standard library's.
FastUUID = pgproto.UUID
NONCE = 12
TAG_OF_KEY = 4


def new_id() -> UUID:
    """Make an id that sorts by time (UUIDv7, RFC 9562), so that new rows go to the end of the index."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    return FastUUID(int(value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62).to_bytes(16))


def first_id(moment: datetime) -> UUID:
    """Return the smallest id made at a moment, so that rows of a time can be found by the index of their key."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def new_token() -> UUID:
    """Make a random lease token."""
    return FastUUID(os.urandom(16))


def new_api_key(*, test: bool = False) -> str:
    """Make an API key of 256 random bits. The prefix lets scanners find leaked keys, and marks test clients' keys."""
    return ("vgt_" if test else "vg_") + secrets.token_urlsafe(32)


class Vault:
    """The gateway's two secrets: SECRET_KEY (several while it rotates, newest first) and INDEX_KEY."""

    def __init__(self, secret_keys: Sequence[bytes], index_key: bytes) -> None:
        """The keys have 32 bytes each."""
        self._secrets = {self._tag(key): key for key in secret_keys}
        self._newest = secret_keys[0]
        self._newest_tag = self._tag(self._newest)
        # For each use, a hash that has taken in the key: it is copied for every text.
        self._keyed = cache(lambda kind: hashlib.blake2b(digest_size=16, key=index_key, person=kind))

    @staticmethod
    def _tag(key: bytes) -> bytes:
        return hashlib.blake2b(key, digest_size=TAG_OF_KEY, person=b"tag").digest()

    @property
    def tags(self) -> list[bytes]:
        """Return how texts begin that this vault can open, so that a row can be left to a process that has its key."""
        return list(self._secrets)

    def hash(self, kind: bytes, *parts: str) -> UUID:
        """Hash, under INDEX_KEY, what is looked up by equality; `kind` (16 bytes at most) separates uses."""
        keyed = self._keyed(kind).copy()
        keyed.update("\x00".join(parts).encode())
        return FastUUID(keyed.digest())

    def digests(self, api_key: str) -> list[bytes]:
        """Digest an API key under each secret key, the newest first."""
        return [hmac.digest(secret, api_key.encode(), "sha256") for secret in self._secrets.values()]

    def seal(self, row: UUID, plain: bytes) -> bytes:
        """Encrypt what belongs to one row, under a key derived for that row.

        One key for all rows would reach the limit of random nonces (2^32 messages) within days.
        """
        nonce = os.urandom(NONCE)
        sealed = AESGCM(self._row_key(self._newest, row)).encrypt(nonce, plain, None)
        return self._newest_tag + nonce + sealed

    def unseal(self, row: UUID, sealed: bytes) -> bytes | None:
        """Decrypt; None if no key of ours fits (a SECRET_KEY was removed too early, or the row was altered)."""
        secret = self._secrets.get(sealed[:TAG_OF_KEY])
        if secret is None:
            return None
        nonce, body = sealed[TAG_OF_KEY : TAG_OF_KEY + NONCE], sealed[TAG_OF_KEY + NONCE :]
        try:
            return AESGCM(self._row_key(secret, row)).decrypt(nonce, body, None)
        except (InvalidTag, ValueError):  # ValueError: the rest is shorter than a nonce
            return None

    def reseal(self, row: UUID, sealed: bytes) -> bytes:
        """Seal with the newest key what an older one has sealed, or return it as it is if no key of ours fits."""
        plain = self.unseal(row, sealed)
        return sealed if plain is None else self.seal(row, plain)

    @staticmethod
    def _row_key(secret: bytes, row: UUID) -> bytes:
        return hashlib.blake2b(row.bytes, digest_size=32, key=secret, person=b"row").digest()
