"""The short way to the two most frequent calls answers as the long one, which everything else goes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import Answer, clone_database, speak

REQUEST = "/v1/verifications"
UNKNOWN = f"{REQUEST}/01a2001c-325a-71f0-9c85-1a4935d9dd81/verify"
JSON = "Content-Type: application/json"
BODY = b'{"phone_number":"+13125550142","ip_address":"203.0.113.9"}'
# Litestar takes a host like this one, and the short way leaves it to Litestar.
SHORT, LONG = "Host: gateway", "Host: gate_way"
# What each reply has of its own.
OWN = re.compile(rb'(?<="id":")[^"]+|(?<="created_at":")[^"]+|(?<="expires_at":")[^"]+|(?<="available_at":")[^"]+')


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    policy = '[limits]\nphone = ["100/1h"]\n'
    async with clone_database(postgres, template) as url, run_gateway(url, policy=policy) as served:
        yield served


async def send(gateway: Gateway, host: str, path: str, *lines: str, body: bytes) -> Answer:
    auth = f"Authorization: Bearer {gateway.key}"
    head = [f"POST {path} HTTP/1.1", host, f"Content-Length: {len(body)}", auth, *lines, "", ""]
    return await speak(gateway.url, "\r\n".join(head).encode() + body)


def alike(answer: Answer) -> tuple[int, list[tuple[str, list[str]]], bytes]:
    headers = [(name, [] if name in ("date", "x-request-id") else lines) for name, lines in answer.headers.items()]
    return answer.status, headers, OWN.sub(b"", answer.body)


@pytest.mark.parametrize(
    ("path", "lines", "body"),
    [
        (REQUEST, [JSON], BODY),
        (REQUEST, [JSON, "Idempotency-Key: one"], BODY),
        (REQUEST, [JSON, "Idempotency-Key: two", "Idempotency-Key: three"], BODY),
        (REQUEST, [JSON], BODY.replace(b"ip_address", b"address")),
        (REQUEST, [JSON], b"{"),
        (REQUEST, [JSON], b'"\xff"'),
        (REQUEST, [JSON], b"[" * 70_000),
        (REQUEST, ["Content-Type: text/plain"], BODY),
        (REQUEST, [JSON, "Authorization: Bearer nobody"], BODY),
        (f"{REQUEST}?channel=call", [JSON], BODY),
        (UNKNOWN, [JSON], b'{"code":"123456"}'),
        (UNKNOWN, [JSON], b'{"code":"12"}'),
        (UNKNOWN, [JSON], b""),
        (UNKNOWN.upper().replace("/V1/VERIFICATIONS", REQUEST).replace("VERIFY", "verify"), [JSON], b'{"code":"12"}'),
        (UNKNOWN.replace("-", ""), [JSON], b'{"code":"12"}'),
        (UNKNOWN.replace("d81", ""), [JSON], b'{"code":"12"}'),
        (f"{UNKNOWN}/", [JSON], b'{"code":"12"}'),
    ],
)  # fmt: skip
async def test_a_call_is_answered_alike_on_both_ways(
    gateway: Gateway, path: str, lines: list[str], body: bytes
) -> None:
    with capture_logs() as lines_of_log:
        # Once before, so that what repeats itself does so on both ways.
        _, short, long = [await send(gateway, host, path, *lines, body=body) for host in (SHORT, SHORT, LONG)]
    assert alike(short) == alike(long)
    told = [{"route": one["route"], "status": one["status"]} for one in lines_of_log if one["event"] == "http"]
    assert told == told[:1] * 3


async def test_a_host_that_is_none_is_refused(gateway: Gateway) -> None:
    assert (await send(gateway, "Host: gate/way", REQUEST, JSON, body=BODY)).status == 400
