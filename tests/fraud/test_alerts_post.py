"""An alert is posted once, in time, as Slack reads it, and never says a number or its own address."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.providers.alerts import LONGEST_TEXT, Alerts, clean
from tests.support.raw_http import RawRequest, Respond, serve_raw, write_reply


def answer_with(status: int, body: bytes = b"ok") -> Respond:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(status, body, "location: http://127.0.0.1:9/"))

    return respond


async def test_an_alert_is_one_post_of_a_text() -> None:
    async with serve_raw(answer_with(200)) as raw:
        alerts = Alerts(raw.url + "/services/T0/B0/secret")
        assert await alerts.post("Conversion in US is 12 % (3 of 25)") is True
        await alerts.aclose()
    (request,) = raw.requests
    assert request.line == "POST /services/T0/B0/secret HTTP/1.1"
    assert "Content-Type: application/json" in request.headers
    assert json.loads(request.body) == {"text": "Conversion in US is 12 % (3 of 25)"}


@pytest.mark.parametrize("status", [301, 400, 403, 404, 429, 500])
async def test_one_that_is_not_taken_is_not_repeated(status: int) -> None:
    async with serve_raw(answer_with(status)) as raw:
        alerts = Alerts(raw.url)
        assert await alerts.post("x") is False
        await alerts.aclose()
    assert len(raw.requests) == 1


async def test_it_ends_in_time_and_never_raises() -> None:
    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        if request.number == 0:
            await asyncio.sleep(30)
        else:
            writer.transport.abort()

    async with serve_raw(respond) as raw:
        alerts = Alerts(raw.url, seconds=0.3)
        started = time.monotonic()
        assert await alerts.post("x") is False
        assert time.monotonic() - started < 15
        assert await alerts.post("x") is False
        await alerts.aclose()
        assert await alerts.post("x") is False
    for url in ("http://127.0.0.1:9", "nonsense", "http://[", "http://127.0.0.1:99999"):
        alerts = Alerts(url, seconds=1.0)
        assert await alerts.post("x") is False
        await alerts.aclose()


async def test_without_an_address_nothing_is_posted() -> None:
    alerts = Alerts(None)
    assert await alerts.post("x") is False
    await alerts.aclose()


async def test_its_address_is_in_no_log(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve_raw(answer_with(500)) as raw:
        alerts = Alerts(raw.url + "/B0/secret")
        await alerts.post("x")
        await alerts.aclose()
    written = capfd.readouterr()
    assert "B0/secret" not in caplog.text + written.out + written.err


@pytest.mark.parametrize(
    "number",
    ["+14155550100", "14155550100", "4155550100", "+1 415-555-0100", "(415) 555-0100", "415.555.0100",
     "+44 7700 900123", "0044 (0)7700 900 123", "+4930 1234567", "٠١٢٣٤٥٦٧٨٩", "+1415555010012345"],
)  # fmt: skip
def test_a_number_however_it_is_written_does_not_leave(number: str) -> None:
    shown = clean(f"A block for {number} was set")
    assert shown == "A block for [number] was set"


@pytest.mark.parametrize(
    "text",
    ["Source 203.0.113.9 is blocked for 10 min", "Source 2001:db8:1:2::/64", "1,234,567 sends since 12:05 UTC",
     "Range 3f2a77b1 in US", "107 a minute, usually 12", "Fingerprint does not answer: http_503"],
)  # fmt: skip
def test_what_operators_need_to_read_stays(text: str) -> None:
    assert clean(text) == text


def test_a_name_is_a_name_and_calls_nobody() -> None:
    assert clean("client <!channel> & <http://x|y>") == "client &lt;!channel&gt; &amp; &lt;http://x|y&gt;"


@given(st.text() | st.text(alphabet="0123456789+ ()-.x"))
def test_no_text_makes_it_fail_or_lets_a_number_out(text: str) -> None:
    shown = clean(text)
    shown.encode()
    assert not re.search(r"\d{7}", shown)
    assert len(clean(text * 1_000)) <= LONGEST_TEXT * 5
