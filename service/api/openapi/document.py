"""Writes the OpenAPI file from the routes, the structs and the closed list of problems.

Handlers describe themselves with a Call, as their `call=`; the command `openapi` and the API's page use the result. A
route without a Call is not part of the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import HttpMethod, Litestar
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from service.api.openapi.callbacks import describe_callbacks
from service.api.openapi.components import camel, describe_problems, describe_structs, unite
from service.api.openapi.examples import EXAMPLES
from service.api.openapi.wording import COMPONENTS, HEAD, PARAMETERS
from service.api.problems import KINDS, MEDIA_TYPE, Invalid, MalformedRequest, ProblemKind, WrongMediaType
from service.callbacks.message import VerificationEvent
from service.errors import Limited, NotAuthorized, OtherRequestSameKey, SameKeyInFlight, Unavailable, WrongScope

BEARER: list[dict[str, list[str]]] = [{"apiKey": []}]
BODY_PROBLEMS = (MalformedRequest, RequestEntityTooLarge, WrongMediaType, Invalid)
IDEMPOTENCY_PROBLEMS = (Invalid, SameKeyInFlight, OtherRequestSameKey)
JSON_TYPE = "application/json"

Json = dict[str, Any]
Failures = dict[str, list[ProblemKind]]


class ApiCall(msgspec.Struct, frozen=True):
    """What a call takes and returns. `means`: success, in words; `problems`: those that do not follow from the rest."""

    means: str
    gives: type[msgspec.Struct]
    takes: type[msgspec.Struct] | None = None
    problems: tuple[type[Exception], ...] = (Unavailable,)
    body_problems: tuple[type[Exception], ...] = BODY_PROBLEMS
    idempotent: bool = False
    explained: bool = False
    query: tuple[str, ...] = ()


def write_document(app: Litestar, version: str) -> str:
    """Write the OpenAPI file of an app's routes."""
    paths: dict[str, Json] = {}
    failures: Failures = {}
    calls = list(_calls(app))
    for route, handler, call in calls:
        # HTTP derives HEAD from GET; it is not a call of its own.
        method = next(iter(handler.http_methods - {HttpMethod.HEAD})).lower()
        paths.setdefault(route.path_format, {})[method] = _operation(route, handler, call, failures)
    given = {call.gives for *_, call in calls} | {VerificationEvent}
    schemas = describe_structs({call.takes for *_, call in calls if call.takes}, given)
    schemas |= describe_problems({kind.name: kind for kinds in failures.values() for kind in kinds}.values())
    responses = {name: _failure(kinds) for name, kinds in sorted(failures.items())}
    document = {
        "openapi": "3.1.0",
        **HEAD,
        "info": HEAD["info"] | {"version": version},
        "paths": paths,
        "webhooks": describe_callbacks(),
        "components": COMPONENTS | {"responses": responses, "schemas": dict(sorted(schemas.items()))},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _calls(app: Litestar) -> Iterator[tuple[HTTPRoute, HTTPRouteHandler, ApiCall]]:
    for route in [route for route in app.routes if isinstance(route, HTTPRoute)]:
        # Litestar keeps the handlers of one path in no order.
        for handler in sorted(route.route_handlers, key=lambda handler: min(handler.http_methods)):
            if isinstance(call := handler.opt.get("call"), ApiCall):
                yield route, handler, call


def _operation(route: HTTPRoute, handler: HTTPRouteHandler, call: ApiCall, failures: Failures) -> Json:
    security = handler.resolve_security()
    parameters = [PARAMETERS[name] for name in (*route.path_parameters, *call.query)]
    parameters += [PARAMETERS["Idempotency-Key"]] if call.idempotent else []
    parameters += [PARAMETERS["X-Explain"]] if call.explained else []
    operation: Json = {
        "operationId": handler.operation_id,
        "tags": handler.resolve_tags(),
        "summary": handler.summary,
        "description": handler.description,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {JSON_TYPE: _content(call.takes)}} if call.takes else None,
        "responses": {str(handler.status_code): _success(call)} | _failures(call, failures, secured=bool(security)),
        "security": security,
    }
    return {name: value for name, value in operation.items() if value or name == "security"}


def _success(call: ApiCall) -> Json:
    names = ["X-Request-Id"] + (["Idempotent-Replayed"] if call.idempotent else [])
    return {"description": call.means, "headers": _headers(names), "content": {JSON_TYPE: _content(call.gives)}}


def _failures(call: ApiCall, failures: Failures, *, secured: bool) -> Json:
    """Return references to the call's failures by status, and add what each may be to `failures`."""
    raised = list(call.problems)
    raised += [NotAuthorized, WrongScope, Limited] if secured else []
    raised += call.body_problems if call.takes else ()
    raised += IDEMPOTENCY_PROBLEMS if call.idempotent else ()
    kinds = {KINDS[error].name: KINDS[error] for error in raised}
    by_status: dict[int, list[ProblemKind]] = {}
    for kind in sorted(kinds.values(), key=lambda kind: (kind.status, kind.name)):
        by_status.setdefault(kind.status, []).append(kind)
    names = {status: "Or".join(camel(kind.name) for kind in alike) for status, alike in by_status.items()}
    failures.update({names[status]: alike for status, alike in by_status.items()})
    return {str(status): {"$ref": f"#/components/responses/{name}"} for status, name in names.items()}


def _failure(kinds: list[ProblemKind]) -> Json:
    headers = _headers(["X-Request-Id"])
    if waiting := [kind for kind in kinds if kind.wait is not None]:
        always = len(waiting) == len(kinds)
        headers["Retry-After"] = {"$ref": f"#/components/headers/{'Retry-After' if always else 'Retry-After-If-Any'}"}
    if kinds[0].status == HTTPStatus.UNAUTHORIZED:
        headers |= _headers(["WWW-Authenticate"])
    examples = {kind.name: {"value": _plain(kind.example())} for kind in kinds}
    return {
        "description": " ".join(f"{kind.title}." for kind in kinds),
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": unite(kinds), "examples": examples}},
    }


def _content(struct: type[msgspec.Struct]) -> Json:
    named = {name: {"value": _plain(value)} for name, value in EXAMPLES.get(struct, {}).items()}
    return {"schema": {"$ref": f"#/components/schemas/{struct.__name__}"}, "examples": named}


def _headers(names: list[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _plain(value: msgspec.Struct) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
