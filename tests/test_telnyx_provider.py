"""The Telnyx provider against a stand-in with state and against answers that no decent server gives."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_writer import StreamWriter
from multidict import CIMultiDict

from service.providers.base import Channel, InDoubt, Judged, NotJudged, Order, Ours, Refused, Sent, State, TryAgain
from service.providers.telnyx import Limits, Telnyx
from service.providers.wire import _Letter
from service.sandbox.faults import Fault, FaultKind
from service.sandbox.stage import Stage
from service.sandbox.telnyx_app import create_telnyx
from service.sandbox.telnyx_service import PROFILE_ID
from service.sandbox.telnyx_service import Telnyx as Standing
from tests.support.raw_http import RawRequest, RawServer, Respond, serve_raw, write_reply
from tests.support.serving import serve_app

NUMBER = "+13035551234"
ID = "12ade33a-21c0-473b-b055-b3c836e1c292"
ORDER = Order(NUMBER, "sms", PROFILE_ID, 305)
QUICK = Limits(connect=0.5, send=0.8, check=0.8, read=5.0)
TAKEN = write_reply(200, b'{"data":{"id":"%s"}}' % ID.encode())


class House:
    """A provider in front of a stand-in."""

    def __init__(self, telnyx: Telnyx, standing: Standing, stage: Stage) -> None:
        self.telnyx = telnyx
        self.standing = standing
        self.stage = stage

    def break_with(self, kind: FaultKind, **other: Any) -> None:
        self.stage.faults.clear()
        self.stage.journal.clear()
        self.stage.faults.add(Fault(kind=kind, **other))

    async def send(self, order: Order = ORDER) -> str:
        sent = await self.telnyx.send(order)
        assert isinstance(sent, Sent)
        return sent.provider_id


@pytest.fixture(scope="module")
async def standing() -> AsyncIterator[House]:
    app = create_telnyx()
    async with serve_app(app) as url:
        telnyx = Telnyx("KEY_SANDBOX", f"{url}/v2", limits=QUICK)
        await telnyx.start()
        yield House(telnyx, app.state.telnyx, app.state.stage)
        await telnyx.aclose()


@pytest.fixture
def house(standing: House) -> House:
    standing.stage.faults.clear()
    standing.stage.journal.clear()
    return standing


@asynccontextmanager
async def face(
    respond: Respond, limits: Limits = QUICK, connections: int = 9
) -> AsyncIterator[tuple[Telnyx, RawServer]]:
    """A provider in front of a server that answers as `respond` says."""
    async with serve_raw(respond) as server:
        telnyx = Telnyx("KEY", f"{server.url}/v2", limits=limits, connections=connections)
        try:
            yield telnyx, server
        finally:
            await telnyx.aclose()


@pytest.mark.parametrize("channel", ["sms", "call", "flashcall"])
async def test_a_send_can_be_checked_read_back_and_found(house: House, channel: Channel) -> None:
    provider_id = await house.send(Order(NUMBER, channel, PROFILE_ID, 305))
    code = house.standing.find_code(provider_id)
    assert await house.telnyx.check(provider_id, f"{(int(code) + 1) % 10**6:06}") == Judged(accepted=False)
    assert await house.telnyx.state(provider_id) == State(accepted=False)
    assert await house.telnyx.check(provider_id, code) == Judged(accepted=True)
    assert await house.telnyx.state(provider_id) == State(accepted=True)
    found = await house.telnyx.look_up(NUMBER)
    assert isinstance(found, list)
    assert (found[0].provider_id, found[0].channel, found[0].profile_id) == (provider_id, channel, PROFILE_ID)
    assert found[0].created_at.utcoffset() is not None


async def test_what_telnyx_never_made_is_not_accepted_and_no_outage(house: House) -> None:
    assert await house.telnyx.check(ID, "123456") == Judged(accepted=False)
    assert await house.telnyx.state(ID) == State(accepted=False)
    assert await house.telnyx.look_up("+13035550000") == []


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("refuse", Refused("40309")),
        ("throttle", TryAgain("10011", 1.0, throttled=True)),
        ("unauthorized", Ours("10009")),
        ("forbidden", Ours("10010")),
        ("not_found", Ours("10005")),
        ("no_funds", Ours("20100")),
        ("spend_limit", Ours("40333")),
        ("error500", TryAgain("http_500")),
        ("hang_before", InDoubt("time_limit")),
        ("hang_after", InDoubt("time_limit")),
        ("reset_before", InDoubt("broken_off")),
        ("reset_after", InDoubt("broken_off")),
        ("garbage", InDoubt("no_id")),
    ],
)
async def test_a_send_that_fails_is_made_once_and_named_rightly(house: House, kind: FaultKind, answer: object) -> None:
    await house.send()  # so that the one that fails is on a connection that was used before
    house.break_with(kind)
    assert await house.telnyx.send(ORDER) == answer
    assert house.stage.journal.count() == {"send": 1}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("throttle", NotJudged),
        ("unauthorized", NotJudged),
        ("error500", NotJudged),
        ("hang_before", InDoubt),
        ("hang_after", InDoubt),
        ("reset_before", InDoubt),
        ("reset_after", InDoubt),
        ("garbage", InDoubt),
        ("not_found", Judged),
    ],
)
async def test_a_guess_whose_answer_is_lost_is_in_doubt_and_was_made_once(
    house: House, kind: FaultKind, answer: type
) -> None:
    provider_id = await house.send()
    house.break_with(kind)
    got = await house.telnyx.check(provider_id, house.standing.find_code(provider_id))
    assert isinstance(got, answer)
    assert got != Judged(accepted=True)
    assert house.stage.journal.count() == {"check": 1}


@pytest.mark.parametrize("kind", ["throttle", "unauthorized", "error500", "reset_before", "garbage", "hang_before"])
async def test_a_state_or_a_list_that_cannot_be_had_is_a_value_too(house: House, kind: FaultKind) -> None:
    provider_id = await house.send()
    house.break_with(kind)
    telnyx = Telnyx("KEY_SANDBOX", house.telnyx._base_url, limits=Limits(read=0.3 if kind == "hang_before" else 5.0))
    await telnyx.start()
    assert isinstance(await telnyx.state(provider_id), NotJudged)
    assert isinstance(await telnyx.look_up(NUMBER), NotJudged)
    await telnyx.aclose()
    times = 2 if kind == "reset_before" else 1  # a GET on a connection that died is asked again, once
    assert house.stage.journal.count() == {"state": times, "lookup": times}


async def test_a_wrong_key_is_ours_and_a_guess_with_it_not_judged(house: House) -> None:
    telnyx = Telnyx("KEY_OTHER", house.telnyx._base_url)
    assert await telnyx.send(ORDER) == Ours("10009")
    assert await telnyx.check(ID, "123456") == NotJudged("10009")
    assert await telnyx.state(ID) == NotJudged("10009")
    await telnyx.aclose()


async def test_no_number_code_or_key_is_logged_at_any_level(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        provider_id = await house.send()
        await house.telnyx.check(provider_id, "918273")
        await house.telnyx.state(provider_id)
        await house.telnyx.look_up(NUMBER)
        house.break_with("refuse")
        await house.telnyx.send(ORDER)
    said = caplog.text + repr([record.__dict__ for record in caplog.records])
    assert not any(secret in said for secret in (NUMBER[1:], "918273", "KEY_SANDBOX"))


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
async def test_a_state_or_list_that_cannot_be_read_is_not_judged(respond: Respond) -> None:
    async with face(respond) as (telnyx, _), asyncio.timeout(15):
        telnyx._limits = Limits(read=0.5)
        await telnyx.start()
        assert isinstance(await telnyx.state(ID), NotJudged)
        assert isinstance(await telnyx.look_up(NUMBER), NotJudged)


async def test_a_closed_port_is_certainly_not_a_send() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    telnyx = Telnyx("KEY", f"http://127.0.0.1:{port}/v2", limits=QUICK)
    assert await telnyx.send(ORDER) == TryAgain("no_connection")
    assert await telnyx.check(ID, "123456") == NotJudged("no_connection")
    assert await telnyx.state(ID) == NotJudged("no_connection")
    await telnyx.aclose()
    assert await telnyx.send(ORDER) == TryAgain("closed")


async def test_a_server_that_never_speaks_tls_is_certainly_not_a_send() -> None:
    async with serve_raw(write_garbage) as server:
        telnyx = Telnyx("KEY", server.url.replace("http:", "https:"), limits=QUICK)
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
    loop = asyncio.get_running_loop()
    writer = StreamWriter(BaseProtocol(loop), loop)
    await writer.write_headers("POST / HTTP/1.1", CIMultiDict())
    letter = _Letter(b"{}", 8.0)
    with pytest.raises(ConnectionResetError):
        await letter.write_with_length(writer, 2)
    assert not letter.handed_over


async def test_a_redirect_is_not_followed() -> None:
    async def redirect(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(307, b"", "location: /v2/verify_profiles"))

    async with face(redirect) as (telnyx, server):
        assert await telnyx.send(ORDER) == TryAgain("http_307")
        assert await telnyx.state(ID) == NotJudged("http_307")
        assert len(server.requests) == 2


@pytest.mark.parametrize("bad", ["../../verify_profiles#", "", ID + "?", ID + "\n", "by_phone_number", "%2e%2e"])
async def test_nothing_but_a_uuid_or_a_number_gets_into_a_path(bad: str) -> None:
    async def take(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)

    async with face(take) as (telnyx, server):
        assert isinstance(await telnyx.check(bad, "123456"), NotJudged)
        assert isinstance(await telnyx.state(bad), NotJudged)
        assert isinstance(await telnyx.look_up(bad), NotJudged)
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

    async with face(answer_late, Limits(), connections=3) as (telnyx, server):
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
    code = "import sys, service.providers.telnyx; sys.exit('telnyx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
