"""A webhook's signature: Ed25519 over its time and its bytes, good for five minutes, and nothing else passes."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.providers.telnyx.signature import TOLERANCE, is_signed
from service.sandbox.telnyx.webhooks import Signer

SIGNER = Signer(b"s" * 32)
KEY = base64.b64decode(SIGNER.public_key)
BODY = b'{"data":{}}'


def check(body: bytes = BODY, *, signed: bytes = BODY, age: float = 0, key: bytes = KEY, **changed: str) -> bool:
    headers = SIGNER.sign(signed, int(time.time() - age)) | {
        name.replace("_", "-"): text for name, text in changed.items()
    }
    return is_signed(key, headers["telnyx-signature-ed25519"], headers["telnyx-timestamp"], body)


def test_what_telnyx_signed_now_passes() -> None:
    assert check()


@pytest.mark.parametrize("age", [TOLERANCE - 5, -(TOLERANCE - 5)])
def test_clocks_may_differ_by_five_minutes(age: float) -> None:
    assert check(age=age)


@pytest.mark.parametrize("age", [TOLERANCE + 5, -(TOLERANCE + 5), 86_400, 1e9])
def test_what_is_older_or_from_the_future_does_not_pass(age: float) -> None:
    assert not check(age=age)


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", b'{"data":{ }}'])
def test_a_byte_more_or_less_does_not_pass(body: bytes) -> None:
    assert not check(body)


def test_the_time_is_signed_too() -> None:
    assert not check(telnyx_timestamp=str(int(time.time()) + 1))


def test_another_key_does_not_pass() -> None:
    assert not check(key=base64.b64decode(Signer(b"t" * 32).public_key))
    assert not check(key=bytes(32))


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "+1", "1.5", " 1", "١٢٣", "²", "1e9", "9" * 5_000, "0" * 20])
def test_a_time_that_is_none_does_not_pass(timestamp: str) -> None:
    assert not check(telnyx_timestamp=timestamp)


def test_zeros_before_the_time_are_not_the_time_that_was_signed() -> None:
    assert not check(telnyx_timestamp=f"00{int(time.time())}")


@pytest.mark.parametrize("signature", ["", "====", "AAAA", "é", "A" * 88, base64.b64encode(bytes(64)).decode(), "\n"])
def test_a_signature_that_is_none_does_not_pass(signature: str) -> None:
    assert not check(telnyx_signature_ed25519=signature)


@given(signature=st.text(max_size=100), timestamp=st.text(max_size=20), body=st.binary(max_size=50))
def test_nothing_made_up_passes_or_breaks_it(signature: str, timestamp: str, body: bytes) -> None:
    assert not is_signed(KEY, signature, timestamp, body)
    assert not is_signed(KEY, signature, str(int(time.time())), body)
