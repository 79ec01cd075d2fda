"""Receivers that keep a process busy: names whose servers hang, and replies without an end. Nobody else notices."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.callbacks.delivery import MOST_RECEIVED
from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, NoReply
from tests.support.receivers import run_receiver

INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000
CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"


@asynccontextmanager
async def run_flood(begin: bytes, again: bytes) -> AsyncIterator[str]:
    """Serve a receiver that answers with `begin`, and then with `again` for as long as somebody takes it."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1)
            writer.write(begin)
            while True:
                writer.write(again)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callbacks"
    finally:
        server.close()


async def call(url: str, seconds: float = 10.0) -> HttpReply | NoReply:
    client = HttpClient(1, 5.0, most_received=MOST_RECEIVED)
    try:
        return await client.call("POST", url, b"{}", seconds, 4096)
    finally:
        await client.aclose()


async def test_interim_replies_without_an_end_are_cut_off() -> None:
    async with run_flood(b"", INTERIM) as url:
        assert await call(url, 60.0) == NoReply(handed_over=True, code="broken_off")


async def test_a_chunk_without_an_end_is_cut_off_and_the_status_counts() -> None:
    async with run_flood(CHUNK, b"a" * 10_000) as url:
        heard = await call(url, 60.0)
    assert isinstance(heard, HttpReply)
    assert heard.success


async def test_a_long_page_is_no_flood() -> None:
    """A receiver may answer with more than is read: its status says that it took the callback."""
    async with run_flood(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * (2 * MOST_RECEIVED), b"a" * 100_000) as url:
        heard = await call(url)
    assert isinstance(heard, HttpReply)
    assert heard.success


async def test_names_whose_servers_hang_hold_up_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than a process has threads for names: each receiver's is looked up apart."""
    known, over = socket.getaddrinfo, threading.Event()

    def look_up(host: str, *more: Any, **others: Any) -> Any:
        if host.endswith(".hang.example"):
            over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return known(host, *more, **others)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with run_receiver() as receiver:
        hanging = [asyncio.create_task(call(f"http://r{place}.hang.example/")) for place in range(40)]
        await asyncio.sleep(0.2)
        try:
            heard = await call(receiver.url.replace("127.0.0.1", "localhost"))
        finally:
            over.set()
        ended = await asyncio.gather(*hanging)
    assert isinstance(heard, HttpReply)
    assert ended == [NoReply(handed_over=False, code="no_connection")] * 40
