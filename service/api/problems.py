"""Every error that leaves the house, as RFC 9457 problem+json: one closed list, nothing about the number.

Called by Litestar for whatever a handler raised. What is not on the list is a plain 500 to the caller and
loud in the log.
"""

from __future__ import annotations

import json
import math
import re
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.utils.scope.state import ScopeState

from service import errors, telemetry

MEDIA_TYPE = "application/problem+json"
FIELD = re.compile(r"Object (missing required|contains unknown) field `([\w.-]{1,64})`")
NAME = re.compile(r"[\w.-]{1,64}")
BASE = "urn:verify-gateway:problem:"


class Problem(msgspec.Struct, omit_defaults=True):
    """An error. `type` is stable: switch on it, not on the texts."""

    type: Annotated[str, msgspec.Meta(description="Names the kind of problem, for good.", examples=[f"{BASE}limited"])]
    title: Annotated[str, msgspec.Meta(description="The kind of problem in a few words.")]
    status: Annotated[int, msgspec.Meta(description="The HTTP status.", ge=400, le=599)]
    detail: Annotated[str, msgspec.Meta(description="What to do about it.")]
    fields: Annotated[list[str] | None, msgspec.Meta(description="The fields that are missing or malformed.")] = None
    verification_status: Annotated[
        str | None, msgspec.Meta(description="How the verification ended, where it has.")
    ] = None


class Kind(msgspec.Struct, frozen=True):
    """One kind of problem."""

    name: str
    status: int
    title: str
    detail: str


KINDS: dict[type[Exception], Kind] = {
    errors.NotAuthorized: Kind("unauthorized", 401, "Not authorized", "Send a valid API key as a bearer token."),
    errors.NotFound: Kind("not-found", 404, "Not found", "There is no such verification of yours."),
    errors.Limited: Kind("limited", 429, "Too many requests", "Wait as long as Retry-After says."),
    errors.Closed: Kind("closed", 409, "The verification has ended", "Request a new one."),
    errors.TooEarly: Kind(
        "too-early", 409, "The next channel is not available yet", "Wait as long as Retry-After says."
    ),
    errors.NoChannelLeft: Kind("no-channel-left", 409, "No channel is left", "Request a new verification later."),
    errors.GuessesInFlight: Kind(
        "guesses-in-flight", 429, "All remaining guesses are being judged", "Ask again when they have been."
    ),
    errors.SameKeyInFlight: Kind(
        "idempotency-in-flight", 409, "The first request with this key is still being answered", "Try again shortly."
    ),
    errors.OtherRequestSameKey: Kind(
        "idempotency-mismatch",
        422,
        "This Idempotency-Key was used for another request",
        "Use a new key for a new request.",
    ),
    errors.Unavailable: Kind("unavailable", 503, "Not available now", "Try again as Retry-After says."),
}
# Kinds of the exceptions below, and of what Litestar raises.
INVALID = Kind("invalid", 422, "The request is not valid", "Correct the fields that are named.")
MALFORMED = Kind("malformed", 400, "The request cannot be read", "Send a JSON object in UTF-8.")
FORBIDDEN = Kind("forbidden", 403, "Not allowed", "This address takes calls from Telnyx only, over HTTPS.")
UNSIGNED = Kind("unsigned", 401, "Not signed", "The signature is missing, too old, or does not fit the body.")
UNEXPECTED = Kind("unexpected", 500, "Something went wrong here", "Try again; the request id helps us to find out.")


class Invalid(errors.GatewayError):
    """A request that shows by itself that it cannot be served; `fields` says where."""

    def __init__(self, *fields: str, detail: str = INVALID.detail) -> None:
        """Name the fields."""
        super().__init__(detail)
        self.fields = list(fields)


class Malformed(errors.GatewayError):
    """A body that cannot be read."""


class Forbidden(errors.GatewayError):
    """A webhook from elsewhere than Telnyx, or not over HTTPS."""


class Unsigned(errors.GatewayError):
    """A webhook whose signature does not fit."""


def answer(request: Request[Any, Any, Any], raised: Exception) -> Response[Problem]:
    """Turn whatever was raised into a problem."""
    error = _understand(request, raised)
    kind, fields = _kind_of(error)
    if kind is UNEXPECTED:
        telemetry.log.error("unexpected", route=request.scope.get("path_template", ""), exc_info=error)
    problem = Problem(
        type=BASE + kind.name,
        title=kind.title,
        status=kind.status,
        detail=str(error) if isinstance(error, Invalid) else kind.detail,
        fields=fields or None,
        verification_status=error.status if isinstance(error, errors.Closed) else None,
    )
    return Response(problem, status_code=kind.status, media_type=MEDIA_TYPE, headers=_headers(kind, error))


def _understand(request: Request[Any, Any, Any], error: Exception) -> Exception:
    if isinstance(error, ValidationException):
        return invalid_of(error)
    if isinstance(error.__cause__, SerializationException):
        lone = _has_lone_surrogate(ScopeState.from_scope(request.scope).body)
        return Invalid(detail="Text must be well-formed Unicode.") if lone else error.__cause__
    return error


def invalid_of(error: ValidationException) -> Invalid:
    """Say which field does not fit, and how; never what stood in it."""
    found = [entry for entry in error.extra or [] if isinstance(entry, dict)]
    text = str(found[0].get("message", "")) if found else ""
    if named := FIELD.match(text):
        detail = "The field is required." if named[1] == "missing required" else "There is no such field."
        return Invalid(named[2], detail=detail)
    fields = [str(entry["key"]) for entry in found if NAME.fullmatch(str(entry.get("key"))) and entry["key"] != "data"]
    return Invalid(*fields, detail=f"{text}." if text and not text.startswith("'") else INVALID.detail)


def _has_lone_surrogate(body: object) -> bool:
    """Tell JSON with half a character in it from what is no JSON: Python's own decoder lets the half through."""
    try:
        json.loads(body if isinstance(body, bytes) else b"")
    except (ValueError, RecursionError):
        return False
    return True


def _kind_of(error: Exception) -> tuple[Kind, list[str]]:
    for known, kind in KINDS.items():
        if isinstance(error, known):
            return kind, []
    if isinstance(error, Invalid):
        return INVALID, error.fields
    if isinstance(error, SerializationException | Malformed):
        return MALFORMED, []
    if isinstance(error, Forbidden):
        return FORBIDDEN, []
    if isinstance(error, Unsigned):
        return UNSIGNED, []
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        status = HTTPStatus(error.status_code)
        return Kind(
            status.phrase.lower().replace(" ", "-"), status.value, status.phrase, status.description or status.phrase
        ), []
    return UNEXPECTED, []


def _headers(kind: Kind, error: Exception) -> dict[str, str]:
    if kind.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    wait = getattr(
        error, "retry_after", 1 if isinstance(error, errors.GuessesInFlight | errors.SameKeyInFlight) else None
    )
    headers = dict(getattr(error, "headers", None) or {})
    return headers | ({} if wait is None else {"Retry-After": str(max(1, math.ceil(wait)))})
