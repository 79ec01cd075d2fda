"""Headers: who may call, one Idempotency-Key, and an id on every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar.routes import HTTPRoute
from structlog.testing import capture_logs

from service.app import create_routes
from service.vault import new_api_key
from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import Answer, assert_named, assert_problem, clone_database, speak, write_request

PATH = "/v1/verifications"
BODY = b'{"phone_number":"+13125550142","ip_address":"203.0.113.9"}'


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    async with clone_database(postgres, template) as url, run_gateway(url, TRUSTED_PROXIES="127.0.0.0/8") as served:
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


async def test_the_key_is_checked_before_the_body_is_looked_at(gateway: Gateway) -> None:
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


async def test_no_answer_is_stored_or_taken_for_another_type(gateway: Gateway) -> None:
    operator = await gateway.client("desk", scope="operator")
    keys = [f"Authorization: Bearer {calls.key}" for calls in (gateway, operator)]
    asked = [
        *(write_request("GET", route.path) for route in create_routes([]).routes if isinstance(route, HTTPRoute)),
        write_request("POST", PATH, keys[0], body=BODY),
        write_request("POST", PATH, keys[0], body=b"{}"),
        write_request("POST", PATH, keys[0], body=b" " * 70_000),
        write_request("GET", f"{PATH}/nothing", keys[0]),
        write_request("GET", "/metrics", keys[1]),
        write_request("OPTIONS", PATH),
        write_request("HEAD", "/healthz"),
        write_request("GET", "//healthz"),
        # What no handler sees.
        b"nonsense\r\n\r\n",
        b"GET http://elsewhere.example/ HTTP/1.1\r\n\r\n",
        write_request("GET", "/healthz", "X: " + "a" * 70_000),
    ]
    statuses = set()
    for request in asked:
        answer = await speak(gateway.url, request)
        statuses.add(answer.status)
        assert (answer.header("cache-control"), answer.header("x-content-type-options")) == ("no-store", "nosniff")
    assert statuses >= {200, 202, 204, 400, 401, 404, 405, 413, 422, 431}


async def read_lines(gateway: Gateway, *requests: bytes) -> list[dict[str, Any]]:
    """Send requests, and return what the log says of them."""
    with capture_logs() as lines:
        for request in requests:
            await speak(gateway.url, request)
    return [dict(line) for line in lines if line["event"] == "http"]


async def test_the_log_says_whose_key_a_request_had_and_never_the_key(gateway: Gateway) -> None:
    test_client = await gateway.client("bakery")
    key_ids = await gateway.database.pool.fetch(
        "select client.name, key.id from api_keys key join clients client on client.id = key.client_id"
    )
    ids = {row["name"]: row["id"] for row in key_ids}
    lines = await read_lines(
        gateway,
        write_request("POST", PATH, f"Authorization: Bearer {gateway.key}", body=BODY),
        write_request(
            "GET", f"{PATH}/01a2001c-325a-71f0-9c85-1a4935d9dd81", f"Authorization: Bearer {test_client.key}"
        ),
        write_request("GET", "/healthz"),
    )
    assert [(line["status"], line.get("client"), line.get("key_id")) for line in lines] == [
        (202, "shop", ids["shop"]),
        (404, "bakery", ids["bakery"]),
        (200, None, None),
    ]
    assert all("source" not in line for line in lines)
    assert not [secret for secret in (gateway.key, test_client.key, "3125550142") if secret in str(lines)]


async def test_the_log_says_where_a_refused_key_came_from(gateway: Gateway) -> None:
    """With the client, where it is a key that was revoked; by what trusted proxies say, and nobody else."""
    revoked = await gateway.client("former")
    await gateway.database.pool.execute(
        "update api_keys set revoked_at = now() where client_id = (select id from clients where name = 'former')"
    )
    unknown = f"Authorization: Bearer {new_api_key()}"
    lines = await read_lines(
        gateway,
        write_request("POST", PATH, unknown, "X-Forwarded-For: 198.51.100.7", body=BODY),
        write_request("POST", PATH, "X-Forwarded-For: 198.51.100.7, 203.0.113.66", body=BODY),
        write_request("POST", PATH, f"Authorization: Bearer {revoked.key}", body=BODY),
        write_request("GET", "/metrics", f"Authorization: Bearer {gateway.key}"),
    )
    assert [(line["status"], line["source"], line.get("client")) for line in lines] == [
        (401, "198.51.100.7", None),
        (401, "203.0.113.66", None),
        (401, "127.0.0.1", None),
        (403, "127.0.0.1", "shop"),
    ]
