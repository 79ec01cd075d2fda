"""The OpenAPI file says what the app does: every call, every field with words and an example, every problem."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.routes import HTTPRoute

from service.api.openapi.document import write_document
from service.api.openapi.examples import EXAMPLES
from service.api.problems import BASE, KINDS, Problem, ProblemKind
from service.app import create_routes
from tests.support.gateway import run_gateway

FILE = Path(__file__).parents[2] / "openapi" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
STATUSES = {
    "requestVerification": {202, 400, 401, 403, 409, 413, 415, 422, 429, 503},
    "verifyCode": {200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503},
    "readVerification": {200, 401, 403, 404, 429, 503},
    "useFallback": {202, 401, 403, 404, 409, 429, 503},
    "cancelVerification": {200, 401, 403, 404, 409, 429, 503},
    "inspectVerification": {200, 401, 403, 404, 429, 503},
    "searchNumber": {200, 400, 401, 403, 413, 415, 422, 429, 503},
    "summariseTraffic": {200, 401, 403, 422, 429, 503},
    "readActivity": {200, 401, 403, 422, 429, 503},
    "readSituation": {200, 401, 403, 429, 503},
    "readPolicy": {200, 401, 403, 429, 503},
    "readDoctor": {200, 401, 403, 429, 503},
    "readLimits": {200, 400, 401, 403, 413, 415, 422, 429, 503},
    "startBacktest": {202, 400, 401, 403, 413, 415, 422, 429, 503},
    "readBacktest": {200, 401, 403, 404, 429, 503},
    "readLedger": {200, 401, 403, 422, 429, 503},
    "listAudits": {200, 401, 403, 422, 429, 503},
    "listAlerts": {200, 401, 403, 422, 429, 503},
    "listClients": {200, 401, 403, 422, 429, 503},
    "listKeys": {200, 401, 403, 422, 429, 503},
    "makeKey": {201, 400, 401, 403, 413, 415, 422, 429, 503},
    "revokeKey": {200, 401, 403, 404, 429, 503},
    "listBlocks": {200, 401, 403, 422, 429, 503},
    "setBlock": {201, 400, 401, 403, 413, 415, 422, 429, 503},
    "liftBlock": {200, 401, 403, 404, 429, 503},
    "listExemptions": {200, 401, 403, 422, 429, 503},
    "listReviewNumbers": {200, 401, 403, 422, 429, 503},
    "setExemption": {201, 400, 401, 403, 413, 415, 422, 429, 503},
    "setReviewNumber": {201, 400, 401, 403, 413, 415, 422, 429, 503},
    "liftExemption": {200, 401, 403, 404, 429, 503},
    "liftReviewNumber": {200, 401, 403, 404, 429, 503},
    "readOutcomes": {200, 401, 403, 422, 429, 503},
    "listObservations": {200, 401, 403, 429, 503},
    "receiveTelnyxWebhook": {200, 400, 401, 403, 413, 503},
    "readHealth": {200},
    "readReadiness": {200, 503},
}
# Served, and no part of the API.
PAGE = {
    "/schema",
    *(f"/schema/{name}" for name in ("manual.css", "manual.js", "viewer.css", "viewer.js", "openapi.json")),
}
UNDOCUMENTED = {"/metrics", *PAGE}
# The console: pages for people, of which no program is to be written.
CONSOLE = "/operator"


def list_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
NULL = {"type": "null"}
OPERATIONS = {operation["operationId"]: operation for _, _, operation in list_operations()}


def follow(node: dict[str, Any]) -> dict[str, Any]:
    """Return what a node refers to, or the node."""
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def list_schemas(node: Any) -> Iterator[dict[str, Any]]:
    """List a node's objects at every depth, without its examples."""
    if isinstance(node, dict):
        yield node
    inside = [value for word, value in node.items() if word != "examples"] if isinstance(node, dict) else node
    if isinstance(inside, list):
        for one in inside:
            yield from list_schemas(one)


def test_the_committed_file_is_what_the_app_says() -> None:
    said = write_document(create_routes([]), version("verify-gateway"))
    assert FILE.read_text(encoding="utf-8") == said, "run: verify-gateway openapi"


async def test_the_served_file_is_the_committed_one(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        reply = await gateway.call("GET", "/schema/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.body == DOCUMENT


def test_every_route_is_in_the_file_but_for_those_that_are_no_part_of_the_api() -> None:
    served = {
        (route.path_format, method.lower())
        for route in create_routes([]).routes
        if isinstance(route, HTTPRoute)
        for method in route.methods - {"HEAD", "OPTIONS"}
    }
    documented = {(path, method) for path, method, _ in list_operations()}
    assert {
        (path, method) for path, method in served if path not in UNDOCUMENTED and not path.startswith(CONSOLE)
    } == documented
    assert {path for path, _ in served} >= UNDOCUMENTED


def test_it_is_openapi_3_1_with_a_name_for_every_call() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert set(OPERATIONS) == set(STATUSES)
    for operation in OPERATIONS.values():
        assert operation["summary"]
        assert operation["tags"][0] in [tag["name"] for tag in DOCUMENT["tags"]]


def test_the_calls_of_products_and_operators_need_a_key_and_the_others_none() -> None:
    for path, _, operation in list_operations():
        assert operation["security"] == ([{"apiKey": []}] if path.startswith("/v1/") else [])
    assert DOCUMENT["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


@pytest.mark.parametrize("name", STATUSES)
def test_a_call_is_documented_with_exactly_the_statuses_it_can_answer(name: str) -> None:
    assert {int(status) for status in OPERATIONS[name]["responses"]} == STATUSES[name]


@pytest.mark.parametrize("name", STATUSES)
def test_every_error_is_a_problem_and_every_success_is_json_each_with_whole_examples(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        ((media_type, content),) = follow(response)["content"].items()
        assert media_type == ("application/json" if int(status) < 400 else "application/problem+json")
        assert content["examples"], (name, status)
        if int(status) >= 400:
            problems = [msgspec.convert(one["value"], Problem) for one in content["examples"].values()]
            assert {problem.status for problem in problems} == {int(status)}


@pytest.mark.parametrize("name", STATUSES)
def test_the_headers_of_every_answer_are_documented(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        headers = set(follow(response)["headers"])
        assert "X-Request-Id" in headers
        assert ("Retry-After" in headers) == (status in ("429", "503") or (status == "409" and may_wait(response)))
        for header in map(follow, follow(response)["headers"].values()):
            assert header["description"]
            assert header["schema"]["type"] in ("string", "integer")
        if status in ("429", "503"):
            assert follow(follow(response)["headers"]["Retry-After"])["required"] is True
        assert ("WWW-Authenticate" in headers) == (status == "401")
    idempotent = name in ("requestVerification", "verifyCode")
    parameters = [one["name"] for one in OPERATIONS[name].get("parameters", [])]
    assert ("Idempotency-Key" in parameters) == idempotent
    success = min(OPERATIONS[name]["responses"])
    assert ("Idempotent-Replayed" in OPERATIONS[name]["responses"][success]["headers"]) == idempotent


def may_wait(response: dict[str, Any]) -> bool:
    waiting = {kind.name for kind in KINDS.values() if kind.wait is not None}
    examples = follow(response)["content"]["application/problem+json"]["examples"]
    return bool(waiting & set(examples))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_component_and_field_has_words_and_every_field_an_example(name: str) -> None:
    assert SCHEMAS[name]["description"]
    for field, schema in SCHEMAS[name].get("properties", {}).items():
        assert schema.get("description"), field
        refers = any("$ref" in one for one in (schema, schema.get("items", {}), *schema.get("anyOf", [])))
        assert refers or "const" in schema or schema.get("examples"), field


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_enumeration_and_object_has_a_name_of_its_own(name: str) -> None:
    """Otherwise each generator invents one: VerificationStatus1."""
    for node in list_schemas(SCHEMAS[name].get("properties", {})):
        assert "enum" not in node
        assert "object" not in node.get("type", ())


def test_no_schema_has_a_default_which_would_make_an_optional_field_a_required_one() -> None:
    assert [node for node in list_schemas(DOCUMENT) if "default" in node] == []


def test_only_what_must_be_sent_is_required_and_whatever_is_answered_is() -> None:
    assert SCHEMAS["VerificationRequest"]["required"] == ["phone_number"]
    for name in ("VerificationAccepted", "VerificationStatus", "CodeChecked", "Health", "BlockSeen", "SendSeen"):
        # A decision is told to test clients that ask for it, and to nobody else.
        sometimes = {"decision"} if name == "VerificationStatus" else set()
        assert set(SCHEMAS[name]["required"]) == set(SCHEMAS[name]["properties"]) - sometimes


def test_what_may_be_null_says_so_in_its_type() -> None:
    for node in list_schemas(DOCUMENT):
        assert {"nullable", "allOf"}.isdisjoint(node)
        if NULL in node.get("anyOf", []):
            assert [set(one) for one in node["anyOf"]] == [{"$ref"}, {"type"}]


def test_patterns_are_for_every_engine() -> None:
    """Those of Go and Rust know no look-around and no backreferences, and only Python has its end of a text."""
    patterns = [node["pattern"] for node in list_schemas(DOCUMENT) if isinstance(node.get("pattern"), str)]
    assert len(patterns) > 10
    for pattern in patterns:
        assert re.fullmatch(r"\^[^\n]*\$", pattern)
        assert not re.search(r"\(\?|\\[ZzAGbk1-9]|[*+?}]\+", pattern), pattern


@pytest.mark.parametrize("kind", {kind.name: kind for kind in KINDS.values()}.values(), ids=lambda kind: kind.name)
def test_every_problem_is_the_one_that_its_type_names(kind: ProblemKind) -> None:
    union = SCHEMAS["Problem"]["discriminator"]["mapping"]
    if (place := union.get(BASE + kind.name)) is None:
        assert kind.name in {"method-not-allowed", "head-too-large"}  # of no call
        return
    schema = follow({"$ref": place})
    assert (schema["properties"]["type"]["const"], schema["properties"]["status"]["const"]) == (
        BASE + kind.name, kind.status,
    )  # fmt: skip
    sent = msgspec.to_builtins(kind.example())
    assert set(sent) == set(schema["properties"]) == {*schema["required"], *({"fields"} & sent.keys())}


@pytest.mark.parametrize("name", STATUSES)
def test_the_problems_of_one_status_are_told_apart_by_their_type(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        for media_type, content in follow(response)["content"].items():
            schema = content["schema"]
            places = [one["$ref"] for one in schema.get("oneOf", [schema])]
            if media_type != "application/problem+json":
                continue
            types = {BASE + one for one in content["examples"]}
            assert {follow({"$ref": place})["properties"]["type"]["const"] for place in places} == types, status
            if "oneOf" in schema:
                assert schema["discriminator"]["propertyName"] == "type"
                assert set(schema["discriminator"]["mapping"]) == types


@pytest.mark.parametrize("struct", EXAMPLES, ids=lambda struct: struct.__name__)
def test_every_whole_example_is_one(struct: type[msgspec.Struct]) -> None:
    for example in EXAMPLES[struct].values():
        assert msgspec.json.decode(msgspec.json.encode(example), type=struct) is not None


def test_a_request_says_that_it_takes_no_other_fields() -> None:
    for name in ("VerificationRequest", "CodeCheck", "NumberSearch", "BlockOrder", "ExemptionOrder", "KeyOrder"):
        assert DOCUMENT["components"]["schemas"][name]["additionalProperties"] is False


def test_no_two_kinds_of_problem_share_a_name() -> None:
    names: dict[str, ProblemKind] = {}
    for kind in KINDS.values():
        assert names.setdefault(kind.name, kind) == kind
