"""Reads what was sent: a JSON body into its struct, strictly, and the Idempotency-Key.

Called by the handlers, once the key has been checked. An error never repeats what was sent, except a field's name that
is clearly a name.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from service.api.problems import Invalid, MalformedRequest, WrongMediaType

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]

JSON_TYPE = re.compile(r"\s*application/([\w.-]+\+)?json\s*(;|$)", re.IGNORECASE)
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# A name contains no digit: a number or a key that was sent as a field's name is not repeated.
FIELD = re.compile(r"Object (missing required|contains unknown) field `(?:([A-Za-z_]{1,40})`)?")
PLACE = re.compile(r" - at `\$\.([A-Za-z_]{1,40})[^`]*`$")
CLEAR = re.compile(r"Expected `\w+`(, got `\w+`| of length [<>]= \d+)")


async def read_body(request: AnyRequest, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode the body. Raises WrongMediaType, Malformed, Invalid, or Litestar's error for a body over the limit."""
    said = request.headers.get("content-type")
    if said and not JSON_TYPE.match(said):
        raise WrongMediaType
    body = await read_bytes(request)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # `from None`: its text may hold what was sent, and whatever logs a chain of errors would repeat it.
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if _holds_half_a_character(body):
            raise Invalid(detail="Text must be well-formed Unicode.") from None
        raise MalformedRequest from None


async def read_bytes(request: AnyRequest) -> bytes:
    """Read the raw body. Raises Malformed if the caller hung up in the middle, or Litestar's error."""
    try:
        return await request.body()
    # Litestar's word for a caller that hung up: as a 500 it would be logged as a defect of ours.
    except InternalServerException:
        raise MalformedRequest from None


def read_idempotency_key(request: AnyRequest) -> str | None:
    """Return the request's Idempotency-Key, if it has one. Raises Invalid."""
    # Two of them, and it would depend on the proxy in front which one counts.
    lines = request.headers.getall("idempotency-key", [])
    if not lines:
        return None
    if len(lines) > 1 or not IDEMPOTENCY_KEY.fullmatch(lines[0]):
        raise Invalid("Idempotency-Key", detail="Send one, of 1 to 255 visible ASCII characters.")
    return lines[0]


def _invalid(text: str) -> Invalid:
    if field := FIELD.match(text):
        detail = "The field is required." if field[1] == "missing required" else "There is no such field."
        return Invalid(*filter(None, [field[2]]), detail=detail)
    place = PLACE.search(text)
    clear = CLEAR.match(text)
    detail = f"{clear[0]}." if clear else "The value is not one that is allowed here."
    return Invalid(*([place[1]] if place else []), detail=detail)


def _holds_half_a_character(body: bytes) -> bool:
    r"""Return whether this is JSON with a lone surrogate (\ud800), which Python's decoder accepts."""
    try:
        text = json.dumps(json.loads(body.decode()), ensure_ascii=False)
    except (ValueError, RecursionError):
        return False
    return any("\ud800" <= character <= "\udfff" for character in text)
