"""Telnyx's checks and reads: a code against a verification, one verification, those of a number.

Called by sandbox.telnyx.app. A wrong code is an answer (200, rejected), never an error.
"""

from __future__ import annotations

import uuid
from functools import partial

import msgspec

from service.sandbox.stage import Acted, Planned
from service.sandbox.telnyx.bodies import decode_body, read_id, require_e164
from service.sandbox.telnyx.replies import decline, error, listing, record
from service.sandbox.telnyx.service import SimulatedTelnyx
from service.sandbox.telnyx.state import TelnyxVerification
from service.sandbox.wire import StandInReply

_PAGE = 20


class _CheckBody(msgspec.Struct):
    code: str | None = None
    status: str | None = None
    verify_profile_id: uuid.UUID | None = None


_decoder = msgspec.json.Decoder(_CheckBody)


def plan_check(telnyx: SimulatedTelnyx, verification_id: str, body: bytes) -> Planned:
    """Check a code by the verification's id."""
    known_as = read_id(verification_id)
    return _plan(telnyx.verifications.find(known_as), known_as, decode_body(_decoder, body))


def plan_check_by_phone(telnyx: SimulatedTelnyx, phone_number: str, body: bytes) -> Planned:
    """Check a code against the newest verification of a number that is still pending."""
    require_e164(phone_number)
    asked = decode_body(_decoder, body)
    if asked.verify_profile_id is None or asked.code is None:
        raise decline(400, "10015", "A code and a profile are required.", "/verify_profile_id")
    profile_id = str(asked.verify_profile_id)
    held = telnyx.verifications.list_by_phone(phone_number)
    newest = next((one for one in held if one.profile_id == profile_id and one.status() == "pending"), None)
    return _plan(newest, None, asked)


def plan_state(telnyx: SimulatedTelnyx, verification_id: str) -> Planned:
    """Read one verification back."""
    known_as = read_id(verification_id)
    verification = telnyx.verifications.find(known_as)

    def act() -> Acted:
        reply = _not_found() if verification is None else record(verification.describe())
        return reply, known_as

    return Planned(
        operation="state",
        act=act,
        phone_number=verification.phone_number if verification else None,
        verification_id=known_as,
        profile_id=verification.profile_id if verification else None,
        known=verification is not None,
    )


def plan_lookup(telnyx: SimulatedTelnyx, phone_number: str) -> Planned:
    """List the verifications of a number, newest first."""
    require_e164(phone_number)

    def act() -> Acted:
        held = telnyx.verifications.list_by_phone(phone_number)
        return listing([verification.describe() for verification in held[:_PAGE]], len(held)), None

    return Planned(operation="lookup", act=act, phone_number=phone_number)


def _plan(verification: TelnyxVerification | None, verification_id: str | None, asked: _CheckBody) -> Planned:
    if asked.code is None and asked.status not in ("accepted", "rejected"):
        raise decline(400, "10015", "A code is required.", "/code")
    if verification is None:
        return Planned(
            operation="check",
            act=lambda: (_not_found(), verification_id),
            verification_id=verification_id,
            code=asked.code,
            known=False,
        )
    return Planned(
        operation="check",
        act=partial(_check, verification, asked),
        phone_number=verification.phone_number,
        channel=verification.type,
        verification_id=verification.id,
        code=asked.code,
        profile_id=verification.profile_id,
        known=True,
        over=verification.status() in ("accepted", "expired"),
    )


def _check(verification: TelnyxVerification, asked: _CheckBody) -> Acted:
    if asked.code is not None:
        compared = verification.check(asked.code)
    elif verification.custom_code is None:
        detail = "A status is only permitted where custom_code was used."
        return error(400, "10015", detail, "/status"), verification.id
    else:
        verification.ended = "accepted" if asked.status == "accepted" else "invalid"
        compared = asked.status or ""
    return record({"phone_number": verification.phone_number, "response_code": compared}), verification.id


def _not_found() -> StandInReply:
    return error(404, "10005", "The verification does not exist.")
