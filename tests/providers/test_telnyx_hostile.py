"""The Telnyx provider against answers that no decent server gives."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.providers.http.connector import Receiver
from service.providers.http.exchange import TrackedRequest
from service.providers.telnyx.client import TelnyxProvider, TimeLimits
from service.providers.verify.protocol import InDoubt, NotCompared, Order, Refused, Sent, TryAgain
from service.sandbox.telnyx.service import PROFILE_ID
from tests.support.raw_http import RawRequest, Respond, serve_raw, write_reply
from tests.support.telnyx_client import ID, NUMBER, ORDER, QUICK, TAKEN, face


async def write_garbage(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def write_half_a_body(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    writer.write(TAKEN[:-9])
    writer.close()


async def write_half_a_chunk(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{"data":')
    writer.close()


async def write_drop_by_drop(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    for drop in TAKEN:
        writer.write(bytes([drop]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def write_too_much(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    _, record = TAKEN.split(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1_000_000 + len(record)))
    for _ in range(10):
        writer.write(b" " * 100_000)
        await writer.drain()
    writer.write(record)


async def write_endless_head(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(1_000):
        writer.write(b"x-more: and more\r\n")
        await writer.drain()


async def write_packed(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    writer.write(write_reply(200, b"\x1f\x8b" + b"\0" * 50, "content-encoding: gzip"))


async def write_invalid_json(request: RawRequest, writer: asyncio.StreamWriter) -> None:
    writer.write(write_reply(200, b'{"data":{"id":"\xff\xfe'))


HOSTILE = [
    write_garbage,
    write_half_a_body,
    write_half_a_chunk,
    write_drop_by_drop,
    write_too_much,
    write_endless_head,
    write_packed,
    write_invalid_json,
]


@pytest.mark.parametrize("respond", HOSTILE)
async def test_an_answer_that_cannot_be_read_leaves_the_call_in_doubt_and_ends_in_time(respond: Respond) -> None:
    async with face(respond) as (telnyx, server), asyncio.timeout(5):
        assert isinstance(await telnyx.send(ORDER), InDoubt)
        assert isinstance(await telnyx.check(ID, "123456"), InDoubt)
        assert len(server.requests) == 2


@pytest.mark.parametrize("respond", HOSTILE)
async def test_a_state_or_list_that_cannot_be_read_is_not_compared(respond: Respond) -> None:
    async with face(respond) as (telnyx, _):
        telnyx._limits = TimeLimits(read=0.5)
        async with asyncio.timeout(15):
            assert isinstance(await telnyx.state(ID), NotCompared)
            assert isinstance(await telnyx.look_up(NUMBER), NotCompared)


async def test_a_closed_port_is_certainly_not_a_send() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    telnyx = TelnyxProvider("KEY", f"http://127.0.0.1:{port}/v2", limits=QUICK)
    assert await telnyx.send(ORDER) == TryAgain("no_connection")
    assert await telnyx.check(ID, "123456") == NotCompared("no_connection")
    assert await telnyx.state(ID) == NotCompared("no_connection")
    await telnyx.aclose()
    assert await telnyx.send(ORDER) == TryAgain("closed")


async def test_a_server_that_never_speaks_tls_is_certainly_not_a_send() -> None:
    async with serve_raw(write_garbage) as server:
        telnyx = TelnyxProvider("KEY", server.url.replace("http:", "https:"), limits=QUICK)
        assert await telnyx.send(ORDER) == TryAgain("no_connection")
        await telnyx.aclose()


async def test_a_connection_that_was_closed_while_idle_is_replaced_without_doubt() -> None:
    async def answer_and_close(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)
        writer.close()

    async with face(answer_and_close) as (telnyx, server):
        for _ in range(5):
            assert await telnyx.send(ORDER) == Sent(ID)
            await asyncio.sleep(0.02)
        assert len(server.requests) == 5


async def test_a_post_on_a_used_connection_that_dies_is_in_doubt_and_never_repeated() -> None:
    async def answer_first(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        if request.number == 0:
            writer.write(TAKEN)
        else:
            writer.close()

    async with face(answer_first) as (telnyx, server):
        assert await telnyx.send(ORDER) == Sent(ID)
        assert await telnyx.send(ORDER) == InDoubt("broken_off")
        assert await telnyx.check(ID, "123456") == InDoubt("broken_off")
        assert len(server.requests) == 3


async def test_a_request_that_found_its_connection_closed_was_certainly_not_handed_over() -> None:
    request = TrackedRequest("POST", "/", {}, b"{}", 8.0)
    with pytest.raises(ConnectionResetError):
        await request.write(Receiver(asyncio.get_running_loop(), 1))
    assert not request.handed_over


async def test_a_redirect_is_not_followed() -> None:
    async def redirect(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(307, b"", "location: /v2/verify_profiles"))

    async with face(redirect) as (telnyx, server):
        assert await telnyx.send(ORDER) == TryAgain("http_307")
        assert await telnyx.state(ID) == NotCompared("http_307")
        assert len(server.requests) == 2


@pytest.mark.parametrize("bad", ["../../verify_profiles#", "", ID + "?", ID + "\n", "by_phone_number", "%2e%2e"])
async def test_nothing_but_a_uuid_or_a_number_gets_into_a_path(bad: str) -> None:
    async def take(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)

    async with face(take) as (telnyx, server):
        assert isinstance(await telnyx.check(bad, "123456"), NotCompared)
        assert isinstance(await telnyx.state(bad), NotCompared)
        assert isinstance(await telnyx.look_up(bad), NotCompared)
        assert isinstance(await telnyx.send(Order(bad, "sms", PROFILE_ID, 300)), Refused)
        assert server.requests == []


async def test_requests_are_those_of_the_specification() -> None:
    async def take(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)

    async with face(take) as (telnyx, server):
        await telnyx.send(ORDER)
        await telnyx.check(ID, "123456")
        await telnyx.state(ID)
        await telnyx.look_up(NUMBER)
    send, check, state, look_up = server.requests
    assert (send.line, check.line) == (
        "POST /v2/verifications/sms HTTP/1.1",
        f"POST /v2/verifications/{ID}/actions/verify HTTP/1.1",
    )
    assert send.body == b'{"phone_number":"%s","verify_profile_id":"%s","timeout_secs":305}' % (
        NUMBER.encode(),
        PROFILE_ID.encode(),
    )
    assert check.body == b'{"code":"123456"}'
    assert state.line == f"GET /v2/verifications/{ID} HTTP/1.1"
    assert look_up.line == f"GET /v2/verifications/by_phone_number/%2B{NUMBER[1:]} HTTP/1.1"
    for request in server.requests:
        assert request.headers.count("Authorization: Bearer KEY") == 1


async def test_connections_are_bounded_and_what_finds_none_free_is_not_sent() -> None:
    async def answer_late(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(TAKEN)

    async def hang(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.2)

    async with face(answer_late, TimeLimits(), connections=3) as (telnyx, server):
        assert await gather_sends(telnyx.send, 12) == [Sent(ID)] * 12
        assert server.most_connections == 3
    async with face(hang, connections=1) as (telnyx, server):
        assert sorted(map(repr, await gather_sends(telnyx.send, 2))) == sorted(
            [repr(InDoubt("time_limit")), repr(TryAgain("no_connection"))]
        )
        assert len(server.requests) == 1


async def gather_sends(send: Callable[[Order], Awaitable[Any]], count: int) -> list[Any]:
    return await asyncio.gather(*(send(ORDER) for _ in range(count)))


def test_the_vendors_package_is_not_imported_by_importing_the_provider() -> None:
    code = "import sys, service.providers.telnyx.client; sys.exit('telnyx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
