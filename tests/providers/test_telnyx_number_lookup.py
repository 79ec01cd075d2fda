"""The number look-up: one GET, a kind of line or nothing, and never a word of Telnyx's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from service.phone import NumberKind
from service.providers.line_lookup import Missed
from service.providers.telnyx.number_lookup import TelnyxLines
from tests.support.raw_http import RawRequest, RawServer, serve_raw, write_reply

KEY = "KEY_THAT_NOBODY_MAY_SEE"
PHONE = "+13125550142"


async def find(status: int, body: Any, phone_number: str = PHONE) -> tuple[NumberKind | Missed, RawServer]:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(status, body if isinstance(body, bytes) else json.dumps(body).encode()))

    async with serve_raw(respond) as raw:
        lines = TelnyxLines(KEY, raw.url + "/v2/")
        found = await lines.find(phone_number)
        await lines.aclose()
        return found, raw


def say(carrier: object = None, ported: object = None) -> dict[str, Any]:
    return {"data": {"carrier": {"name": "x", "type": carrier}, "portability": {"line_type": ported}}}


async def test_it_is_one_get_with_the_number_in_its_path_and_our_key() -> None:
    found, raw = await find(200, say("mobile"))
    assert found == "mobile"
    (request,) = raw.requests
    assert request.line == "GET /v2/number_lookup/%2B13125550142?type=carrier HTTP/1.1"
    assert f"Authorization: Bearer {KEY}" in request.headers


@pytest.mark.parametrize(
    ("carrier", "ported", "kind"),
    [
        ("fixed line", None, "fixed"),
        ("Fixed_Line", "", "fixed"),
        ("fixed line or mobile", None, "fixed_or_mobile"),
        ("voip", None, "voip"),
        ("non-fixed voip", None, "voip"),
        ("toll free", None, "toll_free"),
        ("fixed line", "mobile", "mobile"),
        ("mobile", "never heard of", "mobile"),
        (None, None, "unknown"),
        ("never heard of", None, "unknown"),
        (["mobile"], {"a": 1}, "unknown"),
    ],
)
async def test_the_line_is_where_the_number_was_ported_to_else_its_carriers(
    carrier: object, ported: object, kind: NumberKind
) -> None:
    assert (await find(200, say(carrier, ported)))[0] == kind


@pytest.mark.parametrize(
    ("status", "body", "missed"),
    [
        (200, b"<html>", Missed("http_200", outage=True)),
        (200, {"data": [PHONE]}, Missed("http_200", outage=True)),
        (401, {"errors": [{"code": "10009", "detail": PHONE}]}, Missed("http_401", outage=True)),
        (404, {"errors": [{"code": "10005", "detail": PHONE}]}, Missed("http_404", outage=False)),
        (422, {"errors": [{"code": "10016", "detail": PHONE}]}, Missed("http_422", outage=False)),
        (429, {"errors": []}, Missed("http_429", outage=True)),
        (500, b"", Missed("http_500", outage=True)),
    ],
)
async def test_what_cannot_be_read_is_no_answer(status: int, body: Any, missed: Missed) -> None:
    assert (await find(status, body))[0] == missed


async def test_a_body_without_either_is_unknown() -> None:
    assert (await find(200, {"data": {}}))[0] == "unknown"


@pytest.mark.parametrize("text", ["", "+1", "../../verify_profiles#", "+1312555014a", "+13125550142/x"])
async def test_what_is_no_number_goes_nowhere(text: str) -> None:
    found, raw = await find(200, say("mobile"), text)
    assert (found, raw.requests) == (Missed("not_e164", outage=False), [])


async def test_nobody_there_is_an_outage() -> None:
    lines = TelnyxLines(KEY, "http://127.0.0.1:9")
    assert await lines.find(PHONE) == Missed("no_connection", outage=True)
    await lines.aclose()
