"""Turns whatever was raised into a problem of the closed list.

Called by Litestar for every exception. Repeats nothing that was sent; what is not on the list is logged by its
type and place, without its text.
"""

from __future__ import annotations

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
    problem = kind.problem(wait=getattr(error, "retry_after", None))
    if isinstance(error, Invalid):
        problem = kind.problem(str(error), fields=error.fields or None)
    elif isinstance(error, WrongScope):
        problem = kind.problem(str(error))
    elif isinstance(error, Closed):
        problem = kind.problem(ended=error.status)
    headers = _headers(problem, error)
    return Response(problem, status_code=kind.status, media_type=MEDIA_TYPE, headers=headers)


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


def _headers(problem: Problem, error: Exception) -> dict[str, str]:
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers = {**headers, "WWW-Authenticate": "Bearer"}
    return {**headers, "Retry-After": str(problem.retry_after)} if problem.retry_after is not None else dict(headers)
