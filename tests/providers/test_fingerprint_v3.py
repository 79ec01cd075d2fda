"""The vendor's v3 package, made safe: it blocks nobody, repeats nothing, logs nothing, and loses no event."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from importlib import import_module
from typing import Any

import pytest

from service.providers.fingerprint.v3 import V3
from service.providers.fingerprint.v3_body import read_v3
from service.providers.http.reply import HttpReply, NoReply
from tests.support.devices import KEY, run_rig
from tests.support.raw_http import RawRequest, serve_raw, write_reply

ID = "1708102555327.NLOjmg"


def test_the_package_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys, service.providers.fingerprint.v3, service.providers.fingerprint.client\n"
        "sys.exit('fingerprint_pro_server_api_sdk' in sys.modules or 'urllib3' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_the_loop_goes_on_while_the_package_waits() -> None:
    async with run_rig("v3") as rig:
        rig.stage.latency["event"] = 0.3
        asked = asyncio.create_task(rig.find(rig.mint()))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert (await asked).complete
        assert turns > 3


async def test_no_more_calls_than_threads_are_out_and_the_rest_wait_within_their_own_time() -> None:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2 if len(raw.requests) <= 6 else 2)
        writer.write(write_reply(200, b"{}"))

    async with serve_raw(respond) as raw:
        api = V3(KEY, raw.url, threads=2)
        await api.start()
        assert await asyncio.gather(*(api.ask(ID, 30) for _ in range(6))) == [HttpReply(200, b"{}")] * 6
        out_of_time = await asyncio.gather(*(api.ask(ID, 0.5) for _ in range(20)))
        assert {isinstance(one, NoReply) and one.code for one in out_of_time} == {"time_limit"}
        assert raw.most_connections == 2
        # A thread that is free again may still find one that was asked a moment later than its first.
        assert len(raw.requests) - 6 < 10
        await api.aclose()


async def test_a_server_that_says_nothing_keeps_a_thread_no_longer_than_the_call_had() -> None:
    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        if request.number < 1:
            await asyncio.sleep(3)
        writer.write(write_reply(200, b"{}"))

    async with serve_raw(respond) as raw:
        api = V3(KEY, raw.url, threads=1)
        await api.start()
        assert await api.ask(ID, 0.3) == NoReply(handed_over=True, code="time_limit")
        assert await api.ask(ID, 1.5) == HttpReply(200, b"{}")
        await api.aclose()


@pytest.mark.parametrize("status", [301, 303, 307, 408, 413, 429, 500, 502, 503, 504])
async def test_nothing_is_repeated_and_nobody_followed(status: int) -> None:
    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        elsewhere = f"location: http://{request.headers[0].split(' ')[1]}/elsewhere"
        writer.write(write_reply(status, b"said", "retry-after: 0", elsewhere))

    async with serve_raw(respond) as raw:
        api = V3(KEY, raw.url)
        assert await api.ask(ID, 5) == HttpReply(status, b"said", "0")
        assert len(raw.requests) == 1
        await api.aclose()


async def test_connections_are_kept_and_used_again() -> None:
    async with run_rig("v3") as rig:
        for _ in range(3):
            await rig.find(rig.mint())

    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(200, b"{}"))

    async with serve_raw(respond) as raw:
        api = V3(KEY, raw.url, threads=3)
        for _ in range(5):
            await api.ask(ID, 5)
        assert raw.most_connections == 1
        await api.aclose()


async def test_the_call_is_the_vendors_own() -> None:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(200, b"{}"))

    async with serve_raw(respond) as raw:
        api = V3(KEY, raw.url + "/")
        await api.ask(ID, 5)
        await api.aclose()
    assert raw.requests[0].line.startswith(f"GET /events/{ID}?ii=fingerprint-pro-server-python-sdk")
    assert f"Auth-API-Key: {KEY}" in raw.requests[0].headers


@pytest.mark.filterwarnings("ignore:fingerprint_pro_server_api_sdk is deprecated")
async def test_an_event_that_the_packages_own_model_loses_is_found() -> None:
    models: Any = import_module("fingerprint_pro_server_api_sdk.sealed")
    person = {"visitorId": "v", "requestId": ID, "timestamp": 1708102555327}
    body = {"products": {"identification": {"data": person}, "botd": {"data": {"bot": {"result": "bad"}}}}}
    with pytest.raises(ValueError, match="must not be"):
        models.ApiClientDeserializer.deserialize(body, "EventsGetResponse")
    read = read_v3(json.dumps(body).encode())
    assert (getattr(read, "bot", None), getattr(read, "visitor_id", None)) == ("bad", "v")


async def test_the_package_leaves_no_handler_on_anybodys_log_and_no_thread_but_ours() -> None:
    async with run_rig("v3") as rig:
        await rig.find(rig.mint())
        for name in ("urllib3", "fingerprint_pro_server_api_sdk"):
            handlers = logging.getLogger(name).handlers
            assert [one for one in handlers if not isinstance(one, logging.NullHandler)] == []
            assert logging.getLogger(name).level == logging.ERROR
        names = {thread.name for thread in threading.enumerate()}
        assert not any("handle" in name for name in names), names


async def test_a_call_after_the_end_goes_nowhere() -> None:
    api = V3(KEY, "http://127.0.0.1:9")
    await api.start()
    await api.aclose()
    assert await api.ask(ID, 1) == NoReply(handed_over=True, code="broken_off")


async def test_an_end_does_not_wait_for_calls_on_their_way() -> None:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)

    async with serve_raw(respond) as raw:
        api = V3(KEY, raw.url)
        await api.start()
        asked = asyncio.create_task(api.ask(ID, 1))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await api.aclose()
        assert time.monotonic() - started < 0.9
        assert isinstance(await asked, NoReply)
