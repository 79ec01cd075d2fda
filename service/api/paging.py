"""Cursors and limits of lists: from the query to a place, and from a place to the reply's next_cursor.

Called by api.operator. A cursor holds ids, times and names of clients, never a number; one that was made up is
refused as a field that is wrong.
"""

from __future__ import annotations

import base64
import re
from typing import TypeVar

import msgspec

from service.api.bodies import AnyRequest
from service.api.problems import Invalid
from service.operators.pages import MOST_LISTED, Place

P = TypeVar("P", bound=Place)

CURSOR = re.compile(r"[A-Za-z0-9_-]{1,600}", re.ASCII)
LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)


def read_limit(request: AnyRequest) -> int:
    """Read how many rows a page has at most."""
    text = _only(request, "limit")
    if text is None:
        return MOST_LISTED
    if not LIMIT.fullmatch(text) or int(text) > MOST_LISTED:
        raise Invalid("limit", detail=f"A whole number, 1 to {MOST_LISTED}.")
    return int(text)


def read_place(request: AnyRequest, kind: type[P]) -> P | None:
    """Read where the page begins; None for the first one."""
    text = _only(request, "cursor")
    return None if text is None else decode_cursor(text, kind)


def read_flag(request: AnyRequest, name: str) -> bool | None:
    """Read true or false; None if it is not given."""
    text = _only(request, name)
    if text not in {None, "true", "false"}:
        raise Invalid(name, detail="true or false.")
    return None if text is None else text == "true"


def decode_cursor(text: str, kind: type[P]) -> P:
    """Return the place that a cursor holds. Raises Invalid for another list's, and for one that was made up."""
    try:
        return msgspec.json.decode(_decode(text), type=kind)
    except (ValueError, msgspec.MsgspecError):
        raise Invalid("cursor", detail="Send the next_cursor of this list's last page, unchanged.") from None


def write_cursor(place: Place | None) -> str | None:
    """Write where the next page begins; None after the last one."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode() if place is not None else None


def _decode(text: str) -> bytes:
    # Python's decoder skips what does not belong to the alphabet.
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if CURSOR.fullmatch(text) else b""


def _only(request: AnyRequest, name: str) -> str | None:
    given = request.query_params.getall(name, [])
    if len(given) > 1:
        raise Invalid(name, detail="Send it once.")
    return given[0] if given else None
