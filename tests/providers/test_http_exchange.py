"""Whose reply is whose on one connection, and what becomes of a call that is given up."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, NoReply
from tests.support.certificates import make_certificate
from tests.support.raw_http import RawRequest, serve_raw, write_reply
from tests.support.waiting import until


async def test_interim_replies_are_not_the_reply() -> None:
    async def answer(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        writer.write(write_reply(200, b"%d" % request.number))

    async with serve_raw(answer) as server:
        wire = HttpClient(1, 5.0)
        heard = [await wire.call("POST", server.url, b"{}", 5.0) for _ in range(3)]
        await wire.aclose()
    assert heard == [HttpReply(200, b"0"), HttpReply(200, b"1"), HttpReply(200, b"2")]
    assert server.most_connections == 1


async def test_what_comes_unasked_is_not_taken_for_the_reply_to_the_next_request() -> None:
    """Some servers say 408 before they close an idle connection: a send that met it would be in doubt for nothing."""
    told = asyncio.Event()

    async def answer(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(200, b"%d" % request.number))
        if request.number == 0:
            await writer.drain()
            await told.wait()
            writer.write(write_reply(408, b""))

    async with serve_raw(answer) as server:
        wire = HttpClient(1, 5.0)
        assert await wire.call("POST", server.url, b"{}", 5.0) == HttpReply(200, b"0")
        told.set()
        assert wire._opened is not None
        [[(kept, _)]] = wire._opened._conns.values()
        await until(lambda: kept.should_close, "what came is there")
        assert await wire.call("POST", server.url, b"{}", 5.0) == NoReply(handed_over=False, code="broken_off")
        assert await wire.call("POST", server.url, b"{}", 5.0) == HttpReply(200, b"1")
        await wire.aclose()


async def test_a_call_that_is_given_up_closes_its_connection_and_leaves_its_place() -> None:
    async def hang_once(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        if request.number == 0:
            await asyncio.sleep(0.1)
        writer.write(write_reply(200, b"%d" % request.number))

    async with serve_raw(hang_once) as server:
        wire = HttpClient(1, 5.0)
        given_up = asyncio.create_task(wire.call("POST", server.url, b"{}", 5.0))
        await until(lambda: bool(server.requests), "it is under way")
        given_up.cancel()
        assert await wire.call("POST", server.url, b"{}", 5.0) == HttpReply(200, b"1")
        assert given_up.cancelled()
        await wire.aclose()


async def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    spoken: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.append(await reader.read(1))

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
    wire = HttpClient(1, 5.0)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
    assert await wire.call("POST", url, b"{}", 5.0) == NoReply(handed_over=False, code="no_connection")
    await wire.aclose()
    server.close()
    assert spoken == []
