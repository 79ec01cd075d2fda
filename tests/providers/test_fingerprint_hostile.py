"""Whatever answers in Fingerprint's place, a look-up ends in time, with the right result, and gives nothing away."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from service.providers.fingerprint.client import FingerprintClient
from service.providers.fingerprint.event import (
    EventAnswer,
    EventUnavailable,
    EventUnknown,
    FingerprintAccountProblem,
    QuotaSpent,
)
from tests.support.devices import (
    KEY,
    VERSIONS,
    Version,
    answer_with,
    fresh_id,
    look_up,
    look_up_raw,
    make_api,
)
from tests.support.raw_http import RawRequest, serve_raw, write_reply


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("named", ["3600", "-5", "soon", "nan", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_whatever_a_429_names_as_its_end_the_deadline_holds(version: Version, named: str) -> None:
    body = b'{"error":{"code":"too_many_requests"}}'
    answer, _ = await look_up_raw(version, answer_with(429, body, f"retry-after: {named}"), fresh_id(), within=0.4)
    assert isinstance(answer, QuotaSpent)


async def test_a_429_that_names_an_hour_is_believed_for_seconds() -> None:
    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(429, b"", "retry-after: 3600") if request.number == 0 else write_reply(403, b""))

    assert await look_up_raw("v4", respond, fresh_id(), longest_pause=0.2) == (FingerprintAccountProblem("http_403"), 2)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (400, b'{"error":{"code":"request_cannot_be_parsed","message":"invalid event_id"}}', EventUnknown("not_an_id")),
        (404, b'{"error":{"code":"RequestNotFound"}}', EventUnknown("not_found")),
        (404, b"<html>no such page</html>", FingerprintAccountProblem("http_404")),
        (404, b'{"error":{"code":"visitor_not_found"}}', FingerprintAccountProblem("visitor_not_found")),
        (400, b'{"error":{"code":"RequestCannotBeParsed"}}', EventUnknown("not_an_id")),
        (400, b'{"error":{"code":"ruleset_not_found"}}', FingerprintAccountProblem("ruleset_not_found")),
        (400, b'{"error":{"code":"request_read_timeout"}}', FingerprintAccountProblem("request_read_timeout")),
        (409, b'{"error":{"code":"conflict"}}', FingerprintAccountProblem("conflict")),
        (413, b'{"error":{"code":"payload_too_large"}}', FingerprintAccountProblem("payload_too_large")),
        (400, b"", FingerprintAccountProblem("http_400")),
        (403, b'{"error":{"code":"wrong_region"}}', FingerprintAccountProblem("wrong_region")),
        (403, b"<html>firewall</html>", FingerprintAccountProblem("http_403")),
        (401, b'{"error":"TokenNotFound"}', FingerprintAccountProblem("http_401")),
        (503, b'{"error":{"code":["x"]}}', EventUnavailable("http_503")),
        (500, b'{"error":{"code":"+14155550100"}}', EventUnavailable("http_500")),
        (302, b"", EventUnavailable("http_302")),
        (204, b"", EventUnavailable("unreadable")),
        (200, b"{" * 100_000, EventUnavailable("unreadable")),
    ],
)
async def test_only_what_fingerprint_itself_wrote_is_held_against_an_event(
    version: Version, status: int, body: bytes, answer: EventAnswer
) -> None:
    event_id = f"{time.time_ns() // 1_000_000 - 60_000}.NLOjmg"
    location = "location: http://127.0.0.1:9/elsewhere"
    got, requests = await look_up_raw(version, answer_with(status, body, location), event_id)
    assert (got, requests) == (answer, 1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_body_without_end_is_not_read_to_it(version: Version) -> None:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + b"[" * 1_500_000)

    answer, _ = await look_up_raw(version, respond, fresh_id())
    assert answer in (EventUnavailable("unreadable"), EventUnavailable("time_limit"))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_body_that_drips_is_not_waited_for(version: Version) -> None:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _byte in range(30):
            writer.write(b"[")
            await writer.drain()
            await asyncio.sleep(0.1)

    started = time.monotonic()
    answer, _ = await look_up_raw(version, respond, fresh_id())
    assert isinstance(answer, EventUnavailable)
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize("version", VERSIONS)
async def test_nobody_there_is_down(version: Version) -> None:
    fingerprint = FingerprintClient(make_api(version, "http://127.0.0.1:9"), seconds=0.6)
    assert await look_up(fingerprint, fresh_id()) == EventUnavailable("no_connection")
    await fingerprint.aclose()


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_time_left_is_no_call(version: Version) -> None:
    answer, requests = await look_up_raw(version, answer_with(200, b"{}"), fresh_id(), within=-1)
    assert (answer, requests) == (EventUnavailable("no_time"), 0)


@pytest.mark.parametrize("version", VERSIONS)
async def test_neither_key_nor_id_nor_body_is_in_any_answer_or_log(
    version: Version, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    event_id = fresh_id()
    replies = [(403, b'{"error":{"code":"%s"}}'), (200, b"%s"), (500, b"THE BODY %s"), (404, b'{"error":"%s"}')]

    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        heard = " ".join([request.line, *request.headers])
        assert KEY in heard
        assert event_id in heard
        status, body = replies[request.number % 4]
        writer.write(write_reply(status, body % heard.encode(), f"x-echo: {event_id}", "bad header"))
        if request.number == 5:
            writer.transport.abort()

    async with serve_raw(respond) as raw:
        fingerprint = FingerprintClient(make_api(version, raw.url), seconds=0.6)
        await fingerprint.start()
        answers = [await look_up(fingerprint, event_id) for _ in range(7)]
        await fingerprint.aclose()
    written = capfd.readouterr()
    everything = " ".join([repr(answers), caplog.text, written.out, written.err])
    for secret in (KEY, event_id, "THE BODY"):
        assert secret not in everything
