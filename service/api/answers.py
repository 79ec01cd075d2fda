"""Turns whatever was raised into a problem of the closed list.

Called by Litestar for every exception. Repeats nothing that was sent; what is not on the list is logged by its
type and place, without its text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from service import telemetry
from service.api.problems import KINDS, MEDIA_TYPE, UNEXPECTED, Invalid, MalformedRequest, Problem, ProblemKind
from service.errors import Closed, WrongScope


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Turn an exception into a problem response."""
    kind = kind_of(error)
    if kind is UNEXPECTED:
        telemetry.log.error("unexpected", route=request.scope.get("path_template", ""), exc_info=error)
    problem = kind.problem()
    if isinstance(error, Invalid):
        problem = kind.problem(str(error), error.fields or None)
    elif isinstance(error, WrongScope):
        problem = kind.problem(str(error))
    elif isinstance(error, Closed):
        problem = kind.problem(ended=error.status)
    return Response(problem, status_code=kind.status, media_type=MEDIA_TYPE, headers=_headers(kind, error))


def kind_of(error: Exception) -> ProblemKind:
    """Return the kind of problem for an exception."""
    # Also its parents': a new subclass of an error must not become a 500.
    for known in type(error).__mro__:
        if known in KINDS:
            return KINDS[known]
    # Litestar's other exceptions are requests that it could not parse.
    if isinstance(error, HTTPException) and error.status_code < UNEXPECTED.status:
        return KINDS[MalformedRequest]
    return UNEXPECTED


def _headers(kind: ProblemKind, error: Exception) -> dict[str, str]:
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers = {**headers, "WWW-Authenticate": "Bearer"}
    # Rounded up: a caller that comes back a part of a second too early would be refused again.
    wait = getattr(error, "retry_after", kind.wait)
    return {**headers, "Retry-After": str(max(1, math.ceil(wait)))} if wait is not None else dict(headers)
