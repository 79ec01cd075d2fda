"""HTTP by hand: requests byte by byte, answers taken apart, and what every problem must look like.

Used by the tests of what is spoken over HTTP, where a client library would put right what is to be wrong.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from service.api.problems import Problem
from tests.conftest import at, command

PATIENCE = 5.0
"""Seconds for one answer."""


class Answer(msgspec.Struct):
    """One answer as it came; header names in lower case, each with all its lines."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def header(self, name: str) -> str:
        (line,) = self.headers[name]
        return line


def write_request(method: str, path: str | bytes, *lines: str | bytes, body: bytes | None = None) -> bytes:
    """Write a request with exactly these header lines, Host, and Content-Length where there is a body."""
    head = [method.encode() + b" " + _bytes(path) + b" HTTP/1.1", b"Host: gateway", *map(_bytes, lines)]
    if body is not None:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*head, b"", body or b""])


async def speak(url: str, data: bytes) -> Answer:
    """Send bytes over a connection of their own and read one answer."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(data)
        async with asyncio.timeout(PATIENCE):
            return await _read(reader, data)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, data: bytes) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    length = 0 if data.startswith(b"HEAD ") else int(headers.get("content-length", ["0"])[0])
    return Answer(int(first.split()[1]), headers, await reader.readexactly(length))


def assert_problem(answer: Answer, status: int, kind: str) -> Problem:
    """Hold an answer to what every problem must be, and return it."""
    assert answer.status == status, answer
    assert answer.header("content-type") == "application/problem+json"
    assert_named(answer)
    problem = msgspec.json.decode(answer.body, type=Problem)
    assert (problem.type, problem.status) == (f"urn:verify-gateway:problem:{kind}", status)
    assert problem.title
    assert problem.detail.endswith(".")
    return problem


def assert_named(answer: Answer) -> None:
    """Hold an answer to carrying a request id."""
    assert re.fullmatch("[0-9a-f]{16}", answer.header("x-request-id"))


@asynccontextmanager
async def clone_database(postgres: str, template: str) -> AsyncIterator[str]:
    """Make a migrated database for as long as the context is open, for fixtures that many tests share."""
    name = f"verify_test_{uuid4().hex}"
    await command(postgres, f"create database {name} template {template} strategy file_copy")
    yield at(postgres, name)
    await command(postgres, f"drop database {name} with (force)")


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
