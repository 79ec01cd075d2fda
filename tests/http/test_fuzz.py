"""Whatever bytes come, the answer is one of the contract's, and never a 500."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import Answer, assert_named, assert_problem, clone_database, speak, write_request

PATH = "/v1/verifications"
QUICKLY = settings(max_examples=120, deadline=None, derandomize=True, database=None)
FIELDS = [
    "phone_number", "ip_address", "account_id", "device_event_id", "device_sealed_result", "captcha_token", "channel",
    "deliver", "code",
]  # fmt: skip
POLICY = """
[limits]
phone = ["1000/1h"]
ip = ["1000/1h"]
account = ["1000/1h"]
"""


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    async with clone_database(postgres, template) as url, run_gateway(url, policy=POLICY) as served:
        yield served


def assert_contract(answer: Answer) -> None:
    """Hold an answer to the contract's form."""
    assert_named(answer)
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert_problem(answer, answer.status, answer.json()["type"].rsplit(":", 1)[1])
    elif answer.status != 204:
        assert answer.header("content-type") == "application/json"


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.sampled_from(["+13125550142", "203.0.113.9", "2001:db8::1", "::ffff:1.2.3.4", "sms", "123456", "\x00"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
likely = st.fixed_dictionaries(
    {}, optional={name: st.one_of(values, st.just(good)) for name, good in zip(FIELDS, [
        "+13125550142", "203.0.113.9", "account", "event", "AAAA", "token", "sms", True, "123456"], strict=True)},
)  # fmt: skip
objects = st.one_of(likely, st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), values, max_size=5))


@QUICKLY
@given(body=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
async def test_any_bytes_for_a_body(gateway: Gateway, body: bytes) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    assert_contract(await speak(gateway.url, write_request("POST", PATH, auth, body=body)))


@QUICKLY
@given(body=objects)
async def test_any_json_for_a_body(gateway: Gateway, body: dict[str, Any]) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    encoded = msgspec.json.encode(body) if _is_whole(body) else repr(body).encode("utf-8", "surrogatepass")
    verification = "01a2001c-325a-71f0-9c85-1a4935d9dd81"
    for path in (PATH, f"{PATH}/{verification}/verify", "/webhooks/verify"):
        assert_contract(await speak(gateway.url, write_request("POST", path, auth, body=encoded)))


@QUICKLY
@given(data=st.data(), body=objects)
async def test_json_with_a_byte_changed(gateway: Gateway, data: st.DataObject, body: dict[str, Any]) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    encoded = bytearray(msgspec.json.encode(body) if _is_whole(body) else b"{}")
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    assert_contract(await speak(gateway.url, write_request("POST", PATH, auth, body=bytes(encoded))))


# No line break: that would be another header.
header_bytes = st.binary(max_size=80).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
HEADERS = [b"Authorization", b"Idempotency-Key", b"Content-Type", b"Accept", b"X-Forwarded-For", b"Cookie", b"Host"]


@QUICKLY
@given(name=st.sampled_from(HEADERS), value=header_bytes, path=st.sampled_from([PATH, "/webhooks/verify", "/metrics"]))
async def test_any_bytes_in_a_header(gateway: Gateway, name: bytes, value: bytes, path: str) -> None:
    lines = [name + b": " + value] + ([f"Authorization: Bearer {gateway.key}".encode()] if name != HEADERS[0] else [])
    assert_contract(await speak(gateway.url, write_request("POST", path, *lines, body=b"{}")))


segments = st.one_of(
    st.sampled_from(
        ["v1", "verifications", "..", ".", "", "%2e%2e", "%2f", "%00", "{id}", "webhooks", "schema", "verify"]
    ),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#? "), max_size=20),
)


@QUICKLY
@given(method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS"]), parts=st.lists(segments, max_size=6))
async def test_any_path(gateway: Gateway, method: str, parts: list[str]) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    answer = await speak(gateway.url, write_request(method, "/" + "/".join(parts), auth))
    assert answer.status < 500, answer
    assert_named(answer)


def _is_whole(value: Any) -> bool:
    try:
        msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return False
    return True
