"""Requests that come without waiting for answers: each is answered in its turn, and they pile up nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.api.server.received import LARGEST_CHUNKED
from tests.support.gateway import Gateway, run_gateway
from tests.support.waiting import PATIENCE, until
from tests.support.wire import clone_database, write_request

PATH = "/v1/verifications"
FLOOD = b"GET / HTTP/1.1\r\n\r\n" * 20_000


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    async with clone_database(postgres, template) as url, run_gateway(url) as served:
        yield served


async def connect(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(gateway.url)
    return await asyncio.open_connection(place.hostname, place.port)


async def read_statuses(gateway: Gateway, *pieces: bytes) -> list[int]:
    """Send pieces, each once the one before it has left, and read the status of every answer until the end."""
    reader, writer = await connect(gateway)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        said = await reader.read()
    writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", said)]


CHUNKED = "Transfer-Encoding: chunked"
# What may stand in a row, and how each is answered. Bodies hold what looks like the end of a head.
KINDS: list[tuple[bytes, int]] = [
    (write_request("GET", "/healthz"), 200),
    (write_request("HEAD", "/healthz"), 200),
    (b"\r\n\n" + write_request("GET", "/nowhere"), 404),
    (write_request("PUT", "/healthz", body=b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 405),
    (write_request("POST", PATH, body=b""), 401),
    (write_request("POST", PATH, CHUNKED) + b"4\r\n\n\r\n\r\r\n0\r\n\r\n", 401),
    (
        write_request("GET", "/nowhere", CHUNKED) + b"1;a=b\r\n\n\r\n0\r\nX: \n\r\n\r\n".replace(b" \n\r\n", b" y\r\n"),
        404,
    ),
    (write_request("GET", "/nowhere", "Connection: Upgrade", "Upgrade: x"), 404),
]
LAST = write_request("GET", "/healthz", "Connection: close")


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(row=st.lists(st.sampled_from(KINDS), max_size=8), cuts=st.lists(st.integers(0, 2_000), max_size=8))
async def test_whatever_comes_in_a_row_and_however_cut_is_answered_in_order(
    gateway: Gateway, row: list[tuple[bytes, int]], cuts: list[int]
) -> None:
    data = b"".join(request for request, _ in row) + LAST
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    assert await read_statuses(gateway, *pieces) == [status for _, status in row] + [200]


async def test_what_is_no_http_is_not_answered_ahead_of_what_came_before_it(gateway: Gateway) -> None:
    for first in (write_request("GET", "/readyz"), write_request("PUT", "/readyz", body=b"{}")):
        statuses = await read_statuses(gateway, first + b"nonsense\r\n\r\n")
        assert statuses in ([200, 400], [405, 400])


async def test_a_request_is_answered_once_though_its_body_turns_out_to_be_broken(gateway: Gateway) -> None:
    """A second answer would be taken for that to the next request, which a proxy sends for somebody else."""
    reader, writer = await connect(gateway)
    writer.write(write_request("POST", PATH, CHUNKED) + b"1\r\n{\r\n")
    assert b" 401 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    await asyncio.wait_for(reader.readuntil(b"}"), PATIENCE)
    with contextlib.suppress(ConnectionError):
        writer.write(b"nonsense\r\n")
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    writer.close()


async def test_what_stands_behind_the_last_chunk_is_no_header(gateway: Gateway) -> None:
    chunks = b"2\r\n{}\r\n0\r\n"
    key = f"Authorization: Bearer {gateway.key}\r\n".encode()
    last = b"\r\n" + LAST
    assert await read_statuses(gateway, write_request("POST", PATH, CHUNKED) + chunks + key + last) == [401, 200]
    with_key = write_request("POST", PATH, CHUNKED, key.strip())
    assert await read_statuses(gateway, with_key + chunks + key + b"Idempotency-Key: \x80\r\n" + last) == [422, 200]


@pytest.mark.parametrize("endless", [b"0\r\nX: ", b"0\r\n", b"1;"], ids=["trailer", "trailers", "chunk"])
async def test_what_stands_around_chunks_is_not_kept_without_end(gateway: Gateway, endless: bytes) -> None:
    reader, writer = await connect(gateway)
    writer.write(write_request("POST", PATH, f"Authorization: Bearer {gateway.key}", CHUNKED) + endless)
    more = (b"X: y\r\n" if endless.endswith(b"\n") else b"aaaaaa") * 2_000
    for _ in range(LARGEST_CHUNKED // len(more) + 1):
        writer.write(more)
        await writer.drain()
        await asyncio.sleep(0.002)
    assert (await asyncio.wait_for(reader.readline(), PATIENCE)).split()[1] == b"413"
    writer.close()


def count_requests() -> int:
    return sum(isinstance(one, RequestResponseCycle) for one in gc.get_objects())


def stop_reading(writer: asyncio.StreamWriter) -> None:
    transport: Any = writer.transport  # which reads as well
    transport.pause_reading()


async def test_requests_whose_answers_nobody_reads_do_not_pile_up(gateway: Gateway) -> None:
    before, most = count_requests(), 0
    writers = [(await connect(gateway))[1] for _ in range(3)]
    for writer in writers:
        stop_reading(writer)
        writer.write(FLOOD)
    for _ in range(4):
        await asyncio.sleep(0.1)
        most = max(most, count_requests() - before)
    assert most <= 2 * len(writers)
    answer = await gateway.call("GET", "/healthz")
    for writer in writers:
        writer.transport.abort()
    assert answer.status == 200


def count_unread() -> float:
    return REGISTRY.get_sample_value("verify_http_connections_closed_total", {"why": "unread"}) or 0


async def test_a_peer_that_does_not_read_is_not_waited_for(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.server.protocol.UNREAD", 0.3)
    before = count_unread()
    _, writer = await connect(gateway)
    stop_reading(writer)
    writer.write(write_request("GET", "/schema/openapi.json") * 200)
    await until(lambda: count_unread() > before, "the connection is closed")
    writer.transport.abort()
