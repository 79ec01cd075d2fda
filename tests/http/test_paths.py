"""Paths and methods: no spelling of one reaches what it should not, and what is not there is a problem."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar.routes import HTTPRoute

from service.app import create_routes
from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import Answer, assert_named, assert_problem, clone_database, speak, write_request

PATH = "/v1/verifications"
VERIFICATION = "01a2001c-325a-71f0-9c85-1a4935d9dd81"


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway for all."""
    async with clone_database(postgres, template) as url, run_gateway(url) as served:
        yield served


async def call(gateway: Gateway, method: str, path: str | bytes) -> Answer:
    return await speak(gateway.url, write_request(method, path, f"Authorization: Bearer {gateway.key}"))


NOWHERE: list[str] = [
    "/",
    "/v1",
    "/V1/verifications",
    "/v2/verifications",
    f"{PATH}/..%2f",
    f"{PATH}/..%2f..%2fmetrics",
    f"{PATH}/../../metrics",
    f"{PATH}/%2e%2e",
    f"{PATH}/%00",
    f"{PATH}/%zz",
    f"{PATH}/%",
    f"{PATH}/%ff%fe",
    f"{PATH}/%ed%a0%80",
    f"{PATH}/1",
    f"{PATH}/null",
    f"{PATH}/" + "a" * 5_000,
    f"{PATH}/{{id}}%00",
    f"{PATH}/{{id}}0",
    f"{PATH}/{{id}}%20",
    f"{PATH}/{{id}}%2fnothing",
    f"{PATH}/{{id}};a=b",
    f"{PATH}/{{id}}/nothing",
    f"{PATH}/{{id}}/verify/verify",
    "/schema/nothing",
    "/schema/../settings",
    "/schema/manual.css/..",
    "/schema/openapi.yaml",
    "/docs",
    "/openapi.json",
    "/schema/",
    f"{PATH}/{{id}}/",
    f"{PATH}//{{id}}",
    "//v1/verifications/{id}",
    "/v1%2fverifications/{id}",
    "/%761/verifications/{id}",
    "/v1/./verifications/{id}",
    "/v1/a/../verifications/{id}",
    "/v1\\verifications/{id}",
    "/static/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/favicon.ico",
    "/.env",
]


@pytest.mark.parametrize("path", NOWHERE, ids=lambda path: path[:50])
async def test_what_is_not_there_is_not_found(gateway: Gateway, path: str) -> None:
    path = path.replace("{id}", VERIFICATION)
    assert_problem(await call(gateway, "GET", path), 404, "not-found")


async def test_an_id_is_read_in_any_spelling_of_a_uuid_and_answered_in_one(gateway: Gateway) -> None:
    verification = await gateway.begin()
    for path in (
        f"{PATH}/{verification}",
        f"{PATH}/{verification.upper()}",
        f"{PATH}/{verification}?a=b&a=%ff&b=//../",
    ):
        answer = await call(gateway, "GET", path)
        assert (answer.status, answer.json()["id"]) == (200, verification), path


ROUTES = sorted({route.path for route in create_routes([]).routes if isinstance(route, HTTPRoute)})
# What else a path may be taken for, piece by piece: by a proxy, by a server, or by a reader of RFC 3986.
UNLIKE = [
    "/",
    "//",
    "/.",
    "/./",
    "/../",
    "/x/..",
    "\\",
    "%2f",
    "%2F",
    "%5c",
    "%2e%2e/",
    ";",
    ";a=b",
    "%00",
    "%20",
    "+",
    ",",
]


@st.composite
def other_spellings(draw: st.DrawFn) -> str:
    """Take a route's path and spell it in another way."""
    path = draw(st.sampled_from(ROUTES)).replace("{verification_id:uuid}", VERIFICATION)
    place = draw(st.integers(0, len(path)))
    if draw(st.booleans()):
        return path[:place] + draw(st.sampled_from(UNLIKE)) + path[place:]
    place = max(1, place)
    return path[: place - 1] + f"%{ord(path[place - 1]):{draw(st.sampled_from(['02x', '02X']))}}" + path[place:]


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(path=other_spellings(), method=st.sampled_from(["GET", "POST"]))
async def test_no_other_spelling_of_a_path_reaches_what_is_there(gateway: Gateway, path: str, method: str) -> None:
    """Without a key: what is there answers 200, 401 or 405."""
    target = path if path.startswith("/") else f"/{path}"
    if target in ROUTES or target.startswith("/operator/"):  # whose console answers by pages of its own
        return
    assert_problem(await speak(gateway.url, write_request(method, target)), 404, "not-found")


TARGETS = ["http://gateway{}", "https://elsewhere.example{}", "gateway{}", "*", "{}#", "{}#a", "{}?a#b", "\\{}", ".{}"]


@pytest.mark.parametrize("target", TARGETS)
async def test_a_target_that_is_not_a_path_is_refused(gateway: Gateway, target: str) -> None:
    assert_problem(await call(gateway, "GET", target.format("/healthz")), 400, "malformed")


METHODS: list[tuple[str, str, set[str]]] = [
    (method, path, allowed)
    for path, allowed in [
        (PATH, {"POST", "OPTIONS"}),
        (f"{PATH}/{VERIFICATION}", {"GET", "OPTIONS"}),
        (f"{PATH}/{VERIFICATION}/verify", {"POST", "OPTIONS"}),
        ("/webhooks/verify", {"POST", "OPTIONS"}),
        ("/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("/readyz", {"GET", "HEAD", "OPTIONS"}),
        ("/schema/openapi.json", {"GET", "OPTIONS"}),
    ]
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "HEAD", "PROPFIND")
    if method not in allowed
]


@pytest.mark.parametrize(
    ("method", "path", "allowed"), METHODS, ids=[f"{method}-{path[-20:]}" for method, path, _ in METHODS]
)
async def test_another_method_is_told_which_ones_there_are(
    gateway: Gateway, method: str, path: str, allowed: set[str]
) -> None:
    answer = await call(gateway, method, path)
    assert answer.status == 405
    assert set(answer.header("allow").split(", ")) == allowed
    if method == "HEAD":
        assert_named(answer)
    else:
        assert_problem(answer, 405, "method-not-allowed")


async def test_options_say_which_methods_there_are_and_nothing_of_other_origins(gateway: Gateway) -> None:
    auth = f"Authorization: Bearer {gateway.key}"
    answer = await speak(gateway.url, write_request("OPTIONS", PATH, auth, "Origin: https://elsewhere.example"))
    assert (answer.status, answer.body) == (204, b"")
    assert set(answer.header("allow").split(", ")) == {"POST", "OPTIONS"}
    assert not [name for name in answer.headers if name.startswith("access-control")]
