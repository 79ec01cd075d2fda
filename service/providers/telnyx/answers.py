"""What a Telnyx reply means to a send, a check, a state and a look-up: one of the values in providers.verify.protocol.

Called by providers.telnyx.client. Pure. Of a body it passes on an id, a state and a short code, never a text: Telnyx's
records contain the number and the code.
"""

from __future__ import annotations

from datetime import UTC, datetime

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


class _Listed(msgspec.Struct):
    id: str
    type: str
    verify_profile_id: str
    created_at: datetime


_created = msgspec.json.Decoder(_Created)
_compared = msgspec.json.Decoder(_Compared)


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


def interpret_state(status: object, now: float) -> State | NotCompared:
    """Return a verification's state, from the status that the package returned or the reply instead of one."""
    if isinstance(status, str):
        return State(status == "accepted")
    if isinstance(status, NoReply):
        return NotCompared(status.code)
    if not isinstance(status, HttpReply) or status.success:
        return NotCompared("no_status")
    fault, code = sort_fault(status)
    return State(accepted=False) if fault in {"unknown", "refused"} else _not_compared(status, fault, code, now)


def interpret_list(items: object, pages: object) -> list[ListedVerification] | NotCompared:
    """Read a number's verifications, newest first.

    If one cannot be decoded, or the first page may not contain the newest, the whole look-up fails: an overlooked
    verification would be sent again.
    """
    try:
        found = [_read_listed(item) for item in msgspec.convert(items, list[_Listed], from_attributes=True)]
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return NotCompared(_UNREADABLE)
    newest_first = sorted(found, key=lambda one: one.created_at, reverse=True)
    return newest_first if pages == 1 or found == newest_first else NotCompared("more_pages")


def interpret_list_error(heard: HttpResult, now: float) -> list[ListedVerification] | NotCompared:
    """Read the reply instead of a list; a number that Telnyx does not know has no verifications."""
    if isinstance(heard, NoReply):
        return NotCompared(heard.code)
    if heard.success:
        return NotCompared(_UNREADABLE)
    fault, code = sort_fault(heard)
    return [] if fault == "unknown" else _not_compared(heard, fault, code, now)


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
    at = item.created_at
    in_utc = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return ListedVerification(item.id, item.type, item.verify_profile_id, in_utc)
