"""Sealed client results are opened here, with any of our keys, and whatever else a stranger sends is told apart."""

from __future__ import annotations

import base64
import secrets
import tracemalloc
import zlib
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from service.providers.fingerprint.bodies import MOST_BYTES
from service.providers.fingerprint.event import (
    EventFound,
    EventMalformed,
    EventStale,
    EventUnavailable,
    EventUnknown,
    FingerprintAccountProblem,
)
from service.providers.fingerprint.sealed import Sealed
from service.sandbox.fingerprint.events import Mint
from service.sandbox.fingerprint.service import FingerprintSettings, Minted, SimulatedFingerprint

KEY = secrets.token_bytes(32)
HEADER = bytes.fromhex("9E85DCED")
STANDING = SimulatedFingerprint(FingerprintSettings(sealed_key=KEY))
SEALED = Sealed([KEY])


def now() -> datetime:
    return datetime.now(UTC)


def seal(body: bytes, *, deflate: bool = True, key: bytes = KEY) -> str:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packing.compress(body) + packing.flush() if deflate else body
    nonce = secrets.token_bytes(12)
    return base64.b64encode(HEADER + nonce + AESGCM(key).encrypt(nonce, packed, None)).decode()


def mint(order: Mint | None = None) -> Minted:
    return STANDING.mint(order)


@pytest.mark.parametrize("shape", ["v4", "v3"])
def test_a_sealed_event_of_either_shape_is_found(shape: str) -> None:
    minted = mint(msgspec.convert({"sealed_api": shape, "bot": "bad"}, Mint))
    found = SEALED.read(minted.sealed_result, now=now())
    assert isinstance(found, EventFound)
    assert (found.event.event_id, found.event.bot) == (minted.event_id, "bad")


def test_keys_can_be_rotated() -> None:
    sealed = mint().sealed_result
    other, another = secrets.token_bytes(32), secrets.token_bytes(32)
    assert isinstance(Sealed([other, another, KEY]).read(sealed, now=now()), EventFound)
    assert isinstance(Sealed([KEY, other]).read(sealed, now=now()), EventFound)
    assert Sealed([other, another]).read(sealed, now=now()) == EventUnknown("no_key_opens")


def test_without_a_key_the_trouble_is_ours() -> None:
    assert Sealed([]).read(mint().sealed_result, now=now()) == FingerprintAccountProblem("no_sealed_key")
    assert Sealed([]).read("!", now=now()) == EventMalformed()


def test_a_sealed_event_grows_stale_as_any_other() -> None:
    sealed = mint(Mint(age=630)).sealed_result
    assert SEALED.read(sealed, now=now()) == EventStale()
    assert isinstance(SEALED.read(sealed, now=now(), fresh_for=700), EventFound)
    assert SEALED.read(mint(Mint(age=-90)).sealed_result, now=now()) == EventMalformed()


@pytest.mark.parametrize(
    "text",
    ["", "x", "noXc7Q==", "9999", "é" * 80, "\ud800" * 80, "\0" * 80, base64.b64encode(bytes(80)).decode()],
)
def test_what_is_not_sealed_is_malformed(text: str) -> None:
    assert SEALED.read(text, now=now()) == EventMalformed()


def test_every_byte_is_vouched_for() -> None:
    raw = bytearray(base64.b64decode(mint().sealed_result))
    for place in (4, 15, 16, len(raw) // 2, -1):
        forged = bytearray(raw)
        forged[place] ^= 1
        assert SEALED.read(base64.b64encode(forged).decode(), now=now()) == EventUnknown("no_key_opens")
    assert SEALED.read(base64.b64encode(raw[:-1]).decode(), now=now()) == EventUnknown("no_key_opens")


def test_what_was_sealed_with_our_key_and_is_no_event_is_held_against_nobody() -> None:
    for sealed in (
        seal(b"{}"),
        seal(b"not json"),
        seal(b"\xff" * 50, deflate=False),
        seal(b""),
        seal(b"", deflate=False),
    ):
        assert SEALED.read(sealed, now=now()) == EventUnavailable("unreadable")
    nameless = msgspec.json.encode({"timestamp": 1708102555327, "bot": "not_detected"})
    assert SEALED.read(seal(nameless), now=now()) == EventUnavailable("unreadable")


def test_a_bomb_is_not_inflated() -> None:
    bomb = seal(b" " * (MOST_BYTES * 50))
    assert len(bomb) < 100_000
    tracemalloc.start()
    assert SEALED.read(bomb, now=now()) == EventUnavailable("unreadable")
    assert tracemalloc.get_traced_memory()[1] < MOST_BYTES * 10
    tracemalloc.stop()


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(HEADER + raw).decode()))
def test_no_text_makes_it_fail(text: str) -> None:
    assert SEALED.read(text, now=now()) in (EventMalformed(), EventUnknown("no_key_opens"))


@given(st.binary())
def test_no_content_makes_it_fail(body: bytes) -> None:
    assert SEALED.read(seal(body), now=now()) == EventUnavailable("unreadable")
