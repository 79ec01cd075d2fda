"""What Telnyx requires of a request before it acts: well-formed JSON, right types, a number in E.164.

Called by the modules beside it that plan calls. Each failure is a `Declined` in Telnyx's error shape.
"""

from __future__ import annotations

import re
import uuid
from typing import TypeVar

import msgspec

from service import phone
from service.sandbox.telnyx.replies import decline

T = TypeVar("T")

# Where msgspec says that a value is wrong, such as `$.sms.code_length`.
_WHERE = re.compile(r"`\$\.([a-z_.]+)")


def decode_body(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a body; 400 that says what is wrong in it."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError) as wrong:
        where = _WHERE.search(str(wrong))
        pointer = "/" + where[1].replace(".", "/") if where else None
        raise decline(400, "10015", f"The request body is not valid: {wrong}", pointer) from None


def require_e164(phone_number: str) -> str:
    """Check that a number is in +E.164; 422 if not."""
    if not phone.is_e164(phone_number):
        raise decline(422, "10016", f"{phone_number} is not a valid phone number.", "/phone_number")
    return phone_number


def read_id(verification_id: str) -> str:
    """Return a verification's id as Telnyx writes it; 400 for one that is not a UUID."""
    try:
        return str(uuid.UUID(verification_id))
    except ValueError:
        raise decline(400, "10015", "The verification's id is not valid.", "/verification_id") from None
