"""What a Telnyx reply means to a send, a check, a state and a look-up: one of the values in providers.verify.protocol.

Called by providers.telnyx.client. Pure. Of a body it passes on an id, a state and a short code, never a text: Telnyx's
records contain the number and the code.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from service.providers.http.reply import HttpReply, HttpResult, NoReply, decode, read_reset
from service.providers.telnyx.errors import ErrorClass, concerns_profile, sort_fault
from service.providers.verify.protocol import (
    AccountProblem,
    CheckAnswer,
    CodeCompared,
    InDoubt,
    ListedVerification,
    NotCompared,
    Refused,
    SendAnswer,
    Sent,
    State,
    TryAgain,
)
from service.uuids import is_uuid

_UNREADABLE = "unreadable"


class _Verification(msgspec.Struct):
    id: str


class _Created(msgspec.Struct):
    data: _Verification


class _Comparison(msgspec.Struct):
    response_code: str


class _Compared(msgspec.Struct):
    data: _Comparison


class _Status(msgspec.Struct):
    status: str


class _Read(msgspec.Struct):
    data: _Status


class _Listed(msgspec.Struct):
    id: str
    type: str
    verify_profile_id: str
    created_at: str


class _Pages(msgspec.Struct):
    total_pages: Any = None


class _List(msgspec.Struct):
    data: list[_Listed]
    meta: _Pages


_created = msgspec.json.Decoder(_Created)
_compared = msgspec.json.Decoder(_Compared)
_read = msgspec.json.Decoder(_Read)
_list = msgspec.json.Decoder(_List)


def interpret_send(heard: HttpResult, now: float) -> SendAnswer:
    """Return how a send ended. `now`: unix time, against which a reset given as an epoch is read."""
    if isinstance(heard, NoReply):
        return InDoubt(heard.code) if heard.handed_over else TryAgain(heard.code)
    if heard.success:
        created = decode(_created, heard.body)
        return Sent(created.data.id) if created and is_uuid(created.data.id) else InDoubt("no_id")
    return _interpret_send_error(*sort_fault(heard), read_reset(heard.reset, now))


def interpret_check(heard: HttpResult, now: float) -> CheckAnswer:
    """Return how a check ended.

    If Telnyx objects to these digits or this verification, that is a wrong code, not an outage: a decoy answers "wrong"
    to the same digits, and a caller must not be able to tell the two apart.
    """
    if isinstance(heard, NoReply):
        return InDoubt(heard.code) if heard.handed_over else NotCompared(heard.code)
    if heard.success:
        compared = decode(_compared, heard.body)
        return CodeCompared(compared.data.response_code == "accepted") if compared else InDoubt("no_response_code")
    fault, code = sort_fault(heard)
    if fault in {"unknown", "refused"}:
        return CodeCompared(accepted=False)
    return InDoubt(code) if fault == "late" else _not_compared(heard, fault, code, now)


def interpret_state(heard: HttpResult, now: float) -> State | NotCompared:
    """Return a verification's state."""
    if isinstance(heard, NoReply):
        return NotCompared(heard.code)
    if heard.success:
        read = decode(_read, heard.body)
        return State(read.data.status == "accepted") if read else NotCompared("no_status")
    fault, code = sort_fault(heard)
    return State(accepted=False) if fault in {"unknown", "refused"} else _not_compared(heard, fault, code, now)


def interpret_list(heard: HttpResult, now: float) -> list[ListedVerification] | NotCompared:
    """Read a number's verifications, newest first; a number that Telnyx does not know has none.

    If one cannot be decoded, or the first page may not contain the newest, the whole look-up fails: an overlooked
    verification would be sent again.
    """
    if isinstance(heard, NoReply):
        return NotCompared(heard.code)
    if not heard.success:
        fault, code = sort_fault(heard)
        return [] if fault == "unknown" else _not_compared(heard, fault, code, now)
    listed = decode(_list, heard.body)
    if listed is None:
        return NotCompared(_UNREADABLE)
    try:
        found = [_read_listed(item) for item in listed.data]
    except (ValueError, OverflowError):
        return NotCompared(_UNREADABLE)
    newest_first = sorted(found, key=lambda one: one.created_at, reverse=True)
    return newest_first if listed.meta.total_pages == 1 or found == newest_first else NotCompared("more_pages")


def _interpret_send_error(fault: ErrorClass, code: str, after: float) -> SendAnswer:
    match fault:
        case "ours" | "unknown":  # the only thing in a send that Telnyx may not know is our profile
            return AccountProblem(code, concerns_profile(code))
        case "throttled":
            return TryAgain(code, after, throttled=True)
        case "down":
            return TryAgain(code)
        case "late":
            return InDoubt(code)
        case "forbidden" | "refused":
            return Refused(code)


def _not_compared(reply: HttpReply, fault: ErrorClass, code: str, now: float) -> NotCompared:
    after = read_reset(reply.reset, now) if fault == "throttled" else None
    return NotCompared(code, after, concerns_profile(code))


def _read_listed(item: _Listed) -> ListedVerification:
    if not is_uuid(item.id):
        raise ValueError
    at = datetime.fromisoformat(item.created_at)
    in_utc = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return ListedVerification(item.id, item.type, item.verify_profile_id, in_utc)
