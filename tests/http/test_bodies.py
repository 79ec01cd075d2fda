"""Whatever is wrong with a body is a problem that says what to do, and never a defect of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import Answer, assert_problem, clone_database, speak, write_request

PATH = "/v1/verifications"
JSON = "Content-Type: application/json"
PLAIN = {"phone_number": "+13125550142", "ip_address": "203.0.113.9"}


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all: each of these requests is refused before anything is counted."""
    async with clone_database(postgres, template) as url, run_gateway(url) as served:
        yield served


async def send(gateway: Gateway, body: bytes | None, *lines: str, path: str = PATH) -> Answer:
    lines = (f"Authorization: Bearer {gateway.key}", *(lines or (JSON,)))
    return await speak(gateway.url, write_request("POST", path, *lines, body=body))


def plain(**fields: object) -> bytes:
    return msgspec.json.encode(PLAIN | fields)


UNREADABLE = {
    "no body": None,
    "an empty body": b"",
    "an open brace": b"{",
    "text after the object": plain() + b"x",
    "two objects": plain() * 2,
    "single quotes": b"{'phone_number':'+13125550142'}",
    "a comment": b"/**/" + plain(),
    "NaN": b'{"phone_number":NaN}',
    "Infinity": b'{"phone_number":-Infinity}',
    "a raw NUL": b'{"phone_number":"\x00"}',
    "a raw line break": b'{"phone_number":"\n"}',
    "invalid UTF-8": b'{"phone_number":"\xff\xfe"}',
    "an overlong encoding": b'{"phone_number":"\xc0\x80"}',
    "a surrogate in UTF-8": b'{"phone_number":"\xed\xa0\x80"}',
    "UTF-16": '{"phone_number":"+1"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + plain(),
    "a form": b"phone_number=%2B13125550142",
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_body_that_is_no_json_cannot_be_read(gateway: Gateway, body: bytes | None) -> None:
    assert_problem(await send(gateway, body), 400, "malformed")


LONE = {
    "high": b'{"phone_number":"\\ud83d","ip_address":"203.0.113.9"}',
    "low": b'{"phone_number":"+13125550142","ip_address":"203.0.113.9","account_id":"\\ude00"}',
    "in a name": b'{"phone_number":"+13125550142","\\ud800":1}',
    "swapped": b'{"phone_number":"\\ude00\\ud83d"}',
}


@pytest.mark.parametrize("body", LONE.values(), ids=LONE)
async def test_half_a_character_is_not_valid_text(gateway: Gateway, body: bytes) -> None:
    problem = assert_problem(await send(gateway, body), 422, "invalid")
    assert problem.detail == "Text must be well-formed Unicode."


WRONG = {
    "null": (b"null", None),
    "a list": (b"[]", None),
    "text": (b'"+13125550142"', None),
    "a deep list": (b"[" * 30_000, None),
    "a deep object": (b'{"phone_number":' * 4_000, ["phone_number"]),
    "no number": (b'{"ip_address":"203.0.113.9"}', ["phone_number"]),
    "no address": (b'{"phone_number":"+13125550142"}', ["ip_address"]),
    "no address but an account": (b'{"phone_number":"+13125550142","account_id":"a"}', ["ip_address"]),
    "a number as a number": (b'{"phone_number":13125550142}', ["phone_number"]),
    "a huge number": (b'{"phone_number":' + b"9" * 5_000 + b"}", ["phone_number"]),
    "a number out of range": (b'{"phone_number":1e999}', ["phone_number"]),
    "a number that is null": (plain(phone_number=None), ["phone_number"]),
    "a number with NUL": (plain(phone_number="+1312555\x000142"), ["phone_number"]),
    "a number with letters": (plain(phone_number="+1312CALLME1"), ["phone_number"]),
    "a number without its country": (plain(phone_number="3125550142"), ["phone_number"]),
    "an impossible number": (plain(phone_number="+1312"), ["phone_number"]),
    "a number with an extension": (plain(phone_number="+13125550142;ext=5"), ["phone_number"]),
    "a long number": (plain(phone_number="+1" + "3" * 60), ["phone_number"]),
    "a list as a number": (plain(phone_number=["+13125550142"]), ["phone_number"]),
    "an address that is none": (plain(ip_address="203.0.113"), ["ip_address"]),
    "an address with a port": (plain(ip_address="203.0.113.9:443"), ["ip_address"]),
    "an address with leading zeros": (plain(ip_address="203.000.113.009"), ["ip_address"]),
    "an address with a zone": (plain(ip_address="fe80::1%eth0"), ["ip_address"]),
    "a network": (plain(ip_address="203.0.113.0/24"), ["ip_address"]),
    "an unknown channel": (plain(channel="pigeon"), ["channel"]),
    "a channel in capitals": (plain(channel="SMS"), ["channel"]),
    "deliver as text": (plain(deliver="false"), ["deliver"]),
    "deliver as a number": (plain(deliver=0), ["deliver"]),
    "deliver as null": (plain(deliver=None), ["deliver"]),
    "an empty account": (plain(account_id=""), ["account_id"]),
    "a long account": (plain(account_id="a" * 129), ["account_id"]),
    "an account with NUL": (plain(account_id="a\x00b"), ["account_id"]),
    "an empty event": (plain(device_event_id=""), ["device_event_id"]),
    "a sealed result that is no base64": (plain(device_sealed_result="not base64!"), ["device_sealed_result"]),
    "a sealed result with a line break": (plain(device_sealed_result="AAAA\n"), ["device_sealed_result"]),
    "a captcha that is no token": (plain(captcha_token="a b"), ["captcha_token"]),
    "a captcha with a line break": (plain(captcha_token="ab\n"), ["captcha_token"]),
    "an unknown field": (plain(phone="+13125550142"), ["phone"]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "fields"), WRONG.values(), ids=WRONG)
async def test_a_field_that_is_missing_or_wrong_is_named(
    gateway: Gateway, body: bytes, fields: list[str] | None
) -> None:
    assert assert_problem(await send(gateway, body), 422, "invalid").fields == fields


SEVERAL = {
    "nothing": ({}, ["phone_number", "ip_address"], "phone_number, ip_address: the field is required."),
    "nothing but an account": ({"account_id": "a"}, ["phone_number", "ip_address"], None),
    "nothing but null": ({"ip_address": None}, ["phone_number", "ip_address"], None),
    "nothing but what is unknown": ({"phone": "+1", "ip": "x"}, ["phone_number", "ip_address", "phone", "ip"], None),
    "unknown and unnamed": (
        PLAIN | {"442079460123": 1, "x1": 2},
        None,
        "There is no such field.",
    ),
    "two wrong values": (
        PLAIN | {"channel": "pigeon", "deliver": "no"},
        ["channel", "deliver"],
        "channel: one of sms, whatsapp, call, flashcall. deliver: expected true or false, got a string.",
    ),
    "missing and wrong": (
        {"channel": "pigeon"},
        ["phone_number", "ip_address", "channel"],
        "phone_number, ip_address: the field is required. channel: one of sms, whatsapp, call, flashcall.",
    ),
    "two nulls": (
        {"phone_number": None, "ip_address": None},
        ["phone_number", "ip_address"],
        "phone_number, ip_address: the field is required.",
    ),
    "too short, and of other kinds": (
        {"phone_number": "", "ip_address": 7},
        ["phone_number", "ip_address"],
        "phone_number: at least 3 characters. ip_address: expected a string or null, got a whole number.",
    ),
    "a thousand unknown ones": (PLAIN | {f"x{'y' * (at % 30)}{'z' * (at // 30)}": 1 for at in range(900)}, None, None),
}  # fmt: skip


@pytest.mark.parametrize(("body", "fields", "detail"), SEVERAL.values(), ids=SEVERAL)
async def test_everything_that_is_missing_or_wrong_is_named_at_once(
    gateway: Gateway, body: dict[str, object], fields: list[str] | None, detail: str | None
) -> None:
    answer = await send(gateway, msgspec.json.encode(body))
    problem = assert_problem(answer, 422, "invalid")
    assert len(answer.body) < 2_000
    if len(body) < 100:
        assert problem.fields == fields
    if detail is not None:
        assert problem.detail == detail


@pytest.mark.parametrize("channel", ["pigeon", None, 4, ""])
async def test_a_value_that_is_none_of_the_allowed_ones_lists_them(gateway: Gateway, channel: object) -> None:
    problem = assert_problem(await send(gateway, plain(channel=channel)), 422, "invalid")
    assert (problem.fields, problem.detail) == (["channel"], "One of sms, whatsapp, call, flashcall.")


REQUIRING = """
[clients.captcha]
captcha_required = true
[clients.homeless]
ip_required = false
"""


async def test_what_a_client_must_send_is_named_with_what_everybody_must(database_url: str) -> None:
    settings: dict[str, Any] = {"CAPTCHA_PROVIDER": "turnstile", "CAPTCHA_SECRET": "SANDBOX_CAPTCHA_SECRET"}
    number = {"phone_number": "+13125550142"}
    async with run_gateway(database_url, policy=REQUIRING, **settings) as served:
        captcha, homeless = await served.client("captcha"), await served.client("homeless")
        for calls, body, fields in (
            (captcha, {}, ["phone_number", "ip_address", "captcha_token"]),
            (captcha, number, ["ip_address", "captcha_token"]),
            (homeless, {}, ["phone_number", "account_id"]),
            (homeless, {"account_id": "a"}, ["phone_number"]),
            (homeless, number, ["account_id"]),
        ):
            reply = await calls.call("POST", PATH, body)
            assert (reply.status, reply.body["fields"]) == (422, fields)


async def test_who_is_to_wait_is_told_how_long_in_the_body_too(database_url: str) -> None:
    async with run_gateway(database_url, policy='[limits]\nphone = ["1/1h"]\nip = ["1000/1h"]\n') as served:
        verification = await served.begin()
        early = await served.use_fallback(verification)
        for reply, kind in ((await served.request(), "limited"), (early, "too-early")):
            assert reply.body["type"].endswith(kind)
            assert reply.body["retry_after"] == int(reply.headers["retry-after"]) > 1


REPEATED = {
    "an enum": plain(channel="+442079460123"),
    "a field's name": plain(**{"+442079460123": 1}),
    "a field's name in digits": plain(**{"442079460123": 1}),
    "a number": plain(phone_number="+442079460123x"),
    "an address": plain(ip_address="+442079460123"),
    "a type": plain(phone_number=442079460123),
    "no JSON": b'{"phone_number":"+442079460123"',
}


@pytest.mark.parametrize("body", REPEATED.values(), ids=REPEATED)
async def test_an_error_never_repeats_what_was_sent(gateway: Gateway, body: bytes) -> None:
    answer = await send(gateway, body)
    assert answer.status in (400, 422)
    assert b"442079460123" not in answer.body
    assert "442079460123" not in str(answer.headers)


CODES = ["", "123", "1234567890123456", "12a4", "12²4", "12\x0034", "++1234", "1" * 41, "-12-34-56"]


async def test_a_code_of_another_shape_is_refused_and_not_counted(gateway: Gateway) -> None:
    verification = await gateway.begin()
    for code in CODES:
        body = msgspec.json.encode({"code": code})
        problem = assert_problem(await send(gateway, body, path=f"{PATH}/{verification}/verify"), 422, "invalid")
        assert problem.fields == ["code"], code
    assert (await gateway.read(verification)).body["attempts_remaining"] == 5


async def test_more_than_64_kib_is_too_large_however_it_comes(gateway: Gateway) -> None:
    large = plain(account_id="a" * 65_536)
    assert_problem(await send(gateway, large), 413, "too-large")
    auth = f"Authorization: Bearer {gateway.key}"
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    chunked = write_request("POST", PATH, auth, JSON, "Transfer-Encoding: chunked") + chunk * 5 + b"0\r\n\r\n"
    assert_problem(await speak(gateway.url, chunked), 413, "too-large")
    announced = write_request("POST", PATH, auth, JSON, "Content-Length: 99999999999")
    assert_problem(await speak(gateway.url, announced), 413, "too-large")


TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/msgpack"]


@pytest.mark.parametrize("media_type", [*TYPES, "application/jsonp", "json", "garbage;;;", "application/json/x"])
async def test_a_body_that_says_it_is_not_json_is_refused(gateway: Gateway, media_type: str) -> None:
    assert_problem(await send(gateway, plain(), f"Content-Type: {media_type}"), 415, "wrong-media-type")


async def test_json_is_taken_chunked_by_any_of_its_names_and_without_one(gateway: Gateway) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    wrong = plain(channel="pigeon")
    for line in (JSON, "content-type:application/JSON;charset=utf-8", "Content-Type: application/vnd.api+json", "X: y"):
        assert_problem(await send(gateway, wrong, line), 422, "invalid")
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, wrong[at : at + 1]) for at in range(len(wrong))) + b"0\r\n\r\n"
    chunked = write_request("POST", PATH, auth, JSON, "Transfer-Encoding: chunked") + chunks
    assert_problem(await speak(gateway.url, chunked), 422, "invalid")


async def test_a_caller_who_hangs_up_in_the_middle_is_no_defect(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    with pytest.raises((asyncio.IncompleteReadError, TimeoutError)):
        await asyncio.wait_for(speak(gateway.url, write_request("POST", PATH, auth, "Content-Length: 100")), 0.3)
    await asyncio.sleep(0.1)
    out, err = capsys.readouterr()
    assert "unexpected" not in out + err
