"""Reads what was sent: a JSON body into its struct, strictly, the Idempotency-Key and X-Explain.

Called by the handlers, once the key has been checked. An error never repeats what was sent.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from service.api.mistakes import ListMissing, explain
from service.api.problems import Invalid, MalformedRequest, WrongMediaType

T = TypeVar("T", bound=msgspec.Struct)
AnyRequest = Request[Any, Any, Any]

JSON_TYPE = re.compile(r"\s*application/([\w.-]+\+)?json\s*(;|$)", re.IGNORECASE)
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def read_body(
    request: AnyRequest, decoder: msgspec.json.Decoder[T], list_missing: ListMissing = lambda _: ()
) -> T:
    """Decode the body; `list_missing` tells what else is missing from one that is refused.

    Raises WrongMediaType, Malformed, Invalid, or Litestar's error for a body over the limit.
    """
    said = request.headers.get("content-type")
    if said and not JSON_TYPE.match(said):
        raise WrongMediaType
    body = await read_bytes(request)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # `from None`: its text may hold what was sent, and whatever logs a chain of errors would repeat it.
        raise explain(decoder.type, body, str(error), list_missing) from None
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


def asks_why(request: AnyRequest) -> bool:
    """Return whether X-Explain is true. Any other value is as good as none: a production key is told nothing of it."""
    return request.headers.get("x-explain", "").strip().lower() == "true"


def _holds_half_a_character(body: bytes) -> bool:
    r"""Return whether this is JSON with a lone surrogate (\ud800), which Python's decoder accepts."""
    try:
        text = json.dumps(json.loads(body.decode()), ensure_ascii=False)
    except (ValueError, RecursionError):
        return False
    return any("\ud800" <= character <= "\udfff" for character in text)
