"""Below the app: what is no HTTP is answered with a problem and closed, and no head is kept without end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from service.api.server import patience
from service.api.server.received import LARGEST_HEAD
from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import assert_problem, clone_database, speak, write_request

PATH = "/v1/verifications"


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    async with clone_database(postgres, template) as url, run_gateway(url) as served:
        yield served


NO_HTTP: dict[str, bytes] = {
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another version": b"GET /healthz HTTP/3.7\r\n\r\n",
    "an unknown method": write_request("NONSENSE", PATH),
    "a tunnel": b"CONNECT localhost:5432 HTTP/1.1\r\n\r\n",
    "a bare byte in the path": write_request("GET", b"/\xff"),
    "UTF-8 in the path": write_request("GET", "/v1/é"),
    "UTF-8 in the query": write_request("GET", "/healthz?a=é"),
    "no path": b"GET  HTTP/1.1\r\n\r\n",
    "a space in the path": b"GET /a b HTTP/1.1\r\n\r\n",
    "a header without a name": write_request("GET", "/healthz", ": value"),
    "a header without a colon": write_request("GET", "/healthz", "Authorization"),
    "a folded header": write_request("GET", "/healthz", "Idempotency-Key: a\r\n b"),
    "NUL in a header": write_request("GET", "/healthz", b"X: a\x00b"),
    "a space before the colon": write_request("GET", "/healthz", "Content-Length : 0"),
    "both lengths": write_request("POST", PATH, "Transfer-Encoding: chunked", "Content-Length: 4") + b"0\r\n\r\n",
    "two lengths": write_request("POST", PATH, "Content-Length: 1", "Content-Length: 2") + b"ab",
    "a negative length": write_request("POST", PATH, "Content-Length: -1"),
    "a length in hex": write_request("POST", PATH, "Content-Length: 0x10"),
    "a length without end": write_request("POST", PATH, "Content-Length: " + "9" * 40),
    "an unknown encoding twice": write_request("POST", PATH, "Transfer-Encoding: chunked, identity"),
}


@pytest.mark.parametrize("data", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_answered_with_a_problem_and_closed(gateway: Gateway, data: bytes) -> None:
    answer = await speak(gateway.url, data)
    assert_problem(answer, 400, "malformed")
    assert answer.header("connection") == "close"


async def test_a_broken_chunk_ends_the_connection(gateway: Gateway) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    head = write_request("POST", PATH, auth, "Transfer-Encoding: chunked")
    assert_problem(await speak(gateway.url, head + b"zz\r\nab\r\n0\r\n\r\n"), 400, "malformed")


@pytest.mark.parametrize("spare", [0, 200_000])
async def test_a_head_over_64_kib_is_refused_whether_it_ends_or_not(gateway: Gateway, spare: int) -> None:
    long = "a" * (LARGEST_HEAD + spare)
    for data in (
        write_request("GET", f"/healthz?{long}"),
        write_request("GET", "/healthz", f"X: {long}"),
        write_request("GET", "/healthz", f"{long}: x"),
        write_request("GET", "/healthz", *["X: " + "a" * 1_000] * (len(long) // 1_000 + 1)),
        f"GET /healthz HTTP/1.1\r\nX: {long}\r\n".encode(),
        f"GET /{long}".encode(),
    ):
        answer = await speak(gateway.url, data)
        assert_problem(answer, 431, "head-too-large")
        assert answer.header("connection") == "close"


async def test_what_drips_in_is_cut_off_at_the_limit_too(gateway: Gateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
    for _ in range(LARGEST_HEAD // 8_192 + 1):
        writer.write(b"a" * 8_192)
        await writer.drain()
        await asyncio.sleep(0.005)
    assert (await asyncio.wait_for(reader.readline(), 5)).split()[1] == b"431"
    writer.close()


async def test_a_head_is_counted_anew_for_every_request_of_a_connection(gateway: Gateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for _ in range(4):
        writer.write(write_request("GET", "/healthz", "X: " + "a" * 30_000))
        assert (await asyncio.wait_for(reader.readuntil(b'{"status":"ok"}'), 5)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_body_is_no_part_of_the_head(gateway: Gateway) -> None:
    answer = await speak(gateway.url, write_request("POST", PATH, body=b"a" * 300_000))
    assert_problem(answer, 401, "unauthorized")


async def test_old_http_and_upgrades_are_answered_as_they_can_be(gateway: Gateway) -> None:
    assert (await speak(gateway.url, b"GET /healthz HTTP/1.0\r\n\r\n")).status == 200
    for upgrade in ("websocket", "h2c"):
        asked = write_request("GET", "/healthz", "Connection: Upgrade", f"Upgrade: {upgrade}")
        assert (await speak(gateway.url, asked)).status == 200


@pytest.mark.parametrize("apart", [False, True])
async def test_a_request_that_offers_http_2_is_answered_in_http_1(gateway: Gateway, *, apart: bool) -> None:
    """As Java's client does with each first request over plain HTTP."""
    lines = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk", "upgrade:h2c")
    auth = f"Authorization: Bearer {gateway.key}"
    body = b'{"phone_number":"+1312555818%d","ip_address":"203.0.113.9"}' % apart
    head = write_request("POST", PATH, *lines, auth, f"Content-Length: {len(body)}")
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for _ in range(2):
        writer.write(head + (b"" if apart else body))
        if apart:
            await asyncio.sleep(0.05)
            writer.write(body)
        assert (await asyncio.wait_for(reader.readuntil(b'way."}'), 5)).startswith(b"HTTP/1.1 202")
    writer.close()


@pytest.mark.parametrize("length", ["Content-Length: 38", "Transfer-Encoding: chunked"])
async def test_a_body_is_never_taken_for_a_request_of_its_own(gateway: Gateway, length: str) -> None:
    """Proxies share connections: the answer to what one caller hid in a body would go to the next caller."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(write_request("POST", PATH, "Connection: Upgrade", "Upgrade: x", length))
    first = await asyncio.wait_for(reader.readuntil(b"}"), 5)
    with contextlib.suppress(ConnectionError):
        writer.write(write_request("GET", "/healthz"))
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert first.startswith(b"HTTP/1.1 400")
    writer.close()


HALVES = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "half a head": b"GET /healthz HTTP/1.1\r\nX: ",
    "half a body": write_request("POST", PATH, "Content-Length: 9") + b"{",
    "half a second request": write_request("GET", "/healthz") + b"GET /",
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
async def test_an_unfinished_request_is_not_waited_for(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, half: bytes
) -> None:
    monkeypatch.setattr(patience, "HEAD", 0.2)
    monkeypatch.setattr(patience, "SLOWEST", 0.3)
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(half)
    await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def test_a_whole_request_is_answered_however_long_that_takes(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD", 0.2)
    monkeypatch.setattr(patience, "SLOWEST", 0.3)
    path = f"{PATH}/{await gateway.begin()}/verify"
    asked = write_request("POST", path, f"Authorization: Bearer {gateway.key}", body=b'{"code": "12345"}')
    assert (await speak(gateway.url, asked)).json()["verified"] is False


async def test_nothing_says_what_serves_it(gateway: Gateway) -> None:
    for path in ("/healthz", "/nowhere", "/schema"):
        answer = await speak(gateway.url, write_request("GET", path))
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers


async def test_a_reply_comes_in_one_piece(gateway: Gateway) -> None:
    place = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    line = writer.get_extra_info("socket")
    for method in ("GET", "HEAD", "GET"):
        before = count_pieces(line)
        writer.write(write_request(method, "/healthz"))
        head = await reader.readuntil(b"\r\n\r\n")
        if method == "GET":
            assert await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
        assert count_pieces(line) - before == 1, method
    writer.close()


def count_pieces(line: socket.socket) -> int:
    """Count the packets with data that have come on a connection (tcpi_data_segs_in of Linux)."""
    return int.from_bytes(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)[152:156], sys.byteorder)
