"""Telnyx's POST /verifications/{channel}: from a body to a verification, or to a refusal.

Called by sandbox.telnyx.app for each send. The only place that decides whether a number is sent to.
"""

from __future__ import annotations

import re
import uuid
from functools import partial

import msgspec

from service.channels import CHANNELS, Channel
from service.providers.verify.test_numbers import find_outcome
from service.sandbox.stage import Acted, Planned
from service.sandbox.telnyx.bodies import decode_body, require_e164
from service.sandbox.telnyx.carrier import find_country
from service.sandbox.telnyx.profiles import Profile
from service.sandbox.telnyx.replies import decline, error, record, refuse_destination
from service.sandbox.telnyx.service import OrderedSend, SimulatedTelnyx
from service.sandbox.wire import StandInReply

# Area codes of North America begin with 2 to 9.
_NOBODYS = re.compile(r"\+1[01]")
_CUSTOM_CODE = re.compile(r"[0-9]{4,10}")


class _SendBody(msgspec.Struct):
    phone_number: str
    verify_profile_id: uuid.UUID
    timeout_secs: int | msgspec.UnsetType = msgspec.UNSET
    custom_code: str | None = None
    extension: str | None = None


_decoder = msgspec.json.Decoder(_SendBody)

# What stands after /verifications/: Telnyx's names of the channels, which are ours.
PATHS: dict[str, Channel] = {channel: channel for channel in CHANNELS}


def plan_send(telnyx: SimulatedTelnyx, channel: Channel, body: bytes) -> Planned:
    """Check a send's body; raises `Declined`."""
    asked = decode_body(_decoder, body)
    require_e164(asked.phone_number)
    if asked.custom_code is not None and (not CHANNELS[channel].typed or not _CUSTOM_CODE.fullmatch(asked.custom_code)):
        raise decline(422, "10015", "The custom code is not allowed.", "/custom_code")
    timeout = None if asked.timeout_secs is msgspec.UNSET else asked.timeout_secs
    if timeout is not None and timeout <= 0:
        raise decline(422, "10015", "The time limit is not valid.", "/timeout_secs")
    order = OrderedSend(
        channel=channel,
        phone_number=asked.phone_number,
        profile_id=str(asked.verify_profile_id),
        timeout_secs=timeout,
        custom_code=asked.custom_code,
    )
    return Planned(
        operation="send",
        act=partial(_send, telnyx, order),
        phone_number=order.phone_number,
        channel=channel,
        profile_id=order.profile_id,
    )


def _send(telnyx: SimulatedTelnyx, order: OrderedSend) -> Acted:
    profile = telnyx.profiles.find(order.profile_id)
    if profile is None:
        return error(404, "10005", "The verify profile does not exist.", "/verify_profile_id"), None
    if _NOBODYS.match(order.phone_number):
        return error(400, "10002", f"{order.phone_number} is not a valid phone number.", "/phone_number"), None
    outcome = find_outcome(order.phone_number, order.channel)
    if outcome == "refused" or not _allows(profile, order):
        return refuse_destination(order.phone_number), None
    if telnyx.available_credit <= 0:
        return error(403, "20100", "The account has no funds."), None
    verification = telnyx.send(order, profile)
    reply = record(verification.describe())
    if outcome == "slow":
        reply = StandInReply(reply.status, reply.body, after=telnyx.settings.slow_answer)
    return reply, verification.id


def _allows(profile: Profile, order: OrderedSend) -> bool:
    countries = profile.countries(order.channel)
    # phonenumbers costs more than all the rest of a send: only where a list asks for it.
    return "*" in countries or find_country(order.phone_number) in countries
