"""Headers: who may call, one Idempotency-Key, and an id on every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from service.vault import new_api_key
from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import Answer, assert_named, assert_problem, clone_database, speak, write_request

PATH = "/v1/verifications"
BODY = b'{"phone_number":"+13125550142","ip_address":"203.0.113.9"}'


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    async with clone_database(postgres, template) as url, run_gateway(url) as served:
        yield served


async def read(gateway: Gateway, *lines: str | bytes) -> Answer:
    unknown = f"{PATH}/01a2001c-325a-71f0-9c85-1a4935d9dd81"
    return await speak(gateway.url, write_request("GET", unknown, *lines))


async def send(gateway: Gateway, *lines: str | bytes, body: bytes = b"{") -> Answer:
    """Request with a body that is refused once everything before it is right."""
    auth = f"Authorization: Bearer {gateway.key}"
    return await speak(gateway.url, write_request("POST", PATH, auth, *lines, body=body))


STRANGERS: list[list[str | bytes]] = [
    [],
    ["Authorization:"],
    ["Authorization: Bearer"],
    ["Authorization: Bearer "],
    ["Authorization: Bearer nobody"],
    [f"Authorization: Bearer {new_api_key()}"],
    ["Authorization: Bearer " + "a" * 10_000],
    [b"Authorization: Bearer \xff\xfe"],
    ["Authorization: Bearer %00"],
    ["Authorization: Bearer null"],
    ["Authorization: Basic {key}"],
    ["Authorization: {key}"],
    ["Authorization: Bearer {key} and more"],
    ["Authorization: Bearer {key},"],
    ['Authorization: Bearer "{key}"'],
    ["Authorization: Bearer {swapped}"],
    ["Authorization: Bearer {key}", "Authorization: Bearer nobody"],
    ["Authorization: Bearer nobody", "Authorization: Bearer {key}"],
    ["Authorization: Bearer {key}", "Authorization: Bearer {key}"],
    ["X-Api-Key: {key}"],
    ["Cookie: authorization=Bearer {key}"],
    ["Proxy-Authorization: Bearer {key}"],
]


@pytest.mark.parametrize("lines", STRANGERS, ids=[str(number) for number in range(len(STRANGERS))])
async def test_nobody_gets_in_without_one_good_key(gateway: Gateway, lines: list[str | bytes]) -> None:
    swapped = gateway.key.swapcase()
    told = [one.format(key=gateway.key, swapped=swapped) if isinstance(one, str) else one for one in lines]
    answer = await read(gateway, *told)
    assert_problem(answer, 401, "unauthorized")
    assert answer.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_read_in_any_case(gateway: Gateway, scheme: str) -> None:
    assert_problem(await read(gateway, f"authorization:{scheme} {gateway.key} "), 404, "not-found")


async def test_who_calls_is_asked_before_what_was_sent_is_looked_at(gateway: Gateway) -> None:
    for body in (b"{", b"", b"\xff", b"a" * 70_000, BODY):
        assert_problem(await speak(gateway.url, write_request("POST", PATH, body=body)), 401, "unauthorized")
    announced = write_request("POST", PATH, "Content-Length: 99999999999", "Content-Type: text/plain")
    assert_problem(await speak(gateway.url, announced), 401, "unauthorized")


async def test_a_query_string_is_no_place_for_a_key(gateway: Gateway) -> None:
    for name in ("api_key", "token", "access_token"):
        answer = await speak(gateway.url, write_request("POST", f"{PATH}?{name}={gateway.key}", body=BODY))
        assert_problem(answer, 401, "unauthorized")


MALFORMED_KEYS: list[bytes] = [
    b"Idempotency-Key:",
    b"Idempotency-Key: two words",
    b"Idempotency-Key: tab\tbed",
    b"Idempotency-Key: \xc3\xa9",
    b"Idempotency-Key: \x80",
    b"Idempotency-Key: " + b"a" * 256,
    b"Idempotency-Key: one\r\nIdempotency-Key: two",
    b"Idempotency-Key: one\r\nIdempotency-Key: one",
    b"Idempotency-Key: one\r\nidempotency-key:",
]


@pytest.mark.parametrize("line", MALFORMED_KEYS, ids=lambda line: repr(line[:40]))
async def test_an_idempotency_key_is_one_line_of_up_to_255_visible_characters(gateway: Gateway, line: bytes) -> None:
    answer = await send(gateway, line, "Content-Type: application/json", body=BODY)
    assert assert_problem(answer, 422, "invalid").fields == ["Idempotency-Key"]


async def test_the_longest_idempotency_key_is_taken(gateway: Gateway) -> None:
    key = "".join(chr(0x21 + number % 94) for number in range(255))
    first, second = [await send(gateway, f"Idempotency-Key: {key}", body=BODY) for _ in range(2)]
    assert (first.status, second.status, first.body) == (202, 202, second.body)
    assert "idempotent-replayed" not in first.headers
    assert second.header("idempotent-replayed") == "true"


async def test_headers_that_mean_nothing_here_change_nothing(gateway: Gateway) -> None:
    for line in (
        b"Accept: text/html, nonsense;;;q=",
        b"Accept-Encoding: br;q=x",
        b"Cookie: a=\xff;;;=;b",
        b"Expect: 100-continue",
        b"X-HTTP-Method-Override: GET",
        b"X-Forwarded-For: \xff, ,, 1.2.3.4",
        b"Forwarded: for=garbage",
        b"Range: bytes=0-1",
        b"If-None-Match: *",
        b"Content-Encoding: gzip",
        b"TE: trailers",
        b"X-Request-Id: chosen-by-a-stranger",
    ):
        answer = await send(gateway, line, "Content-Type: application/json")
        assert_problem(answer, 400, "malformed")
        assert answer.header("x-request-id") != "chosen-by-a-stranger"


async def test_every_answer_has_an_id_of_its_own(gateway: Gateway) -> None:
    answers = [
        await speak(gateway.url, write_request(method, path, body=body))
        for method, path, body in [
            ("GET", "/healthz", None),
            ("GET", "/readyz", None),
            ("GET", "/schema", None),
            ("GET", "/schema/openapi.json", None),
            ("GET", "/metrics", None),
            ("GET", "/nowhere", None),
            ("DELETE", PATH, None),
            ("OPTIONS", PATH, None),
            ("HEAD", PATH, None),
            ("POST", "/webhooks/verify", b"{"),
        ]
    ]
    for answer in answers:
        assert_named(answer)
    assert len({answer.header("x-request-id") for answer in answers}) == len(answers)
