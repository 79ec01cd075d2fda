"""Telnyx's /verify_profiles (list, create, read, change, delete) and /balance.

Called by sandbox.telnyx.app. Templates are not simulated: no gateway call needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from service.sandbox.stage import Planned
from service.sandbox.telnyx.bodies import decode_body
from service.sandbox.telnyx.profiles import ProfileChange
from service.sandbox.telnyx.replies import decline, error, listing, record
from service.sandbox.telnyx.service import SimulatedTelnyx
from service.sandbox.wire import Request, StandInReply

_decoder = msgspec.json.Decoder(ProfileChange)


def plan_profile(telnyx: SimulatedTelnyx, request: Request) -> Planned:
    """Understand any call below /verify_profiles; raises `Declined`."""
    act: Callable[[], StandInReply]
    match request.method, request.parts[1:]:
        case "GET", []:
            act = partial(_list, telnyx, request.query.get("filter[name]"))
        case "POST", []:
            act = partial(_create, telnyx, _decode_creation(request.body))
        case "PATCH", [profile_id]:
            act = partial(_change, telnyx, profile_id, decode_body(_decoder, request.body))
        case "GET", [profile_id]:
            act = partial(_change, telnyx, profile_id, None)
        case "DELETE", [profile_id]:
            act = partial(_delete, telnyx, profile_id)
        case _:
            raise decline(404, "10005", "The requested resource or URL could not be found.")
    named = request.parts[1] if request.parts[1:] else None
    return Planned(operation="profile", act=lambda: (act(), None), profile_id=named)


def plan_balance(telnyx: SimulatedTelnyx) -> Planned:
    """Return the account's balance; amounts are strings, as in all of Telnyx's records of money."""
    credit = f"{telnyx.available_credit:.2f}"
    told = {"record_type": "balance", "currency": "USD", "balance": credit, "available_credit": credit}
    return Planned(operation="balance", act=lambda: (record(told), None))


def _decode_creation(body: bytes) -> ProfileChange:
    change = decode_body(_decoder, body)
    if change.name is msgspec.UNSET:
        raise decline(400, "10015", "A name is required.", "/name")
    return change


def _list(telnyx: SimulatedTelnyx, name: str | None) -> StandInReply:
    found = [profile.fields for profile in telnyx.profiles.list_all(name)]
    return listing(found, len(found))


def _create(telnyx: SimulatedTelnyx, change: ProfileChange) -> StandInReply:
    return record(telnyx.profiles.create(change).fields)


def _change(telnyx: SimulatedTelnyx, profile_id: str, change: ProfileChange | None) -> StandInReply:
    profile = telnyx.profiles.find(profile_id)
    if profile is None:
        return error(404, "10005", "The verify profile does not exist.")
    if change is not None:
        profile.change(change)
    return record(profile.fields)


def _delete(telnyx: SimulatedTelnyx, profile_id: str) -> StandInReply:
    reply = _change(telnyx, profile_id, None)
    telnyx.profiles.delete(profile_id)
    return reply
