"""A verification's states, and what is to be done next: pure functions over values.

Used by most modules of this package. Does no I/O and reads no clock: time is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from service.channels import CHANNELS, Channel
from service.fraud.facts import CaptchaState
from service.policy.model import FallbackSettings
from service.providers.verify.protocol import Delivery

Status = Literal["pending", "verified", "locked", "expired", "canceled"]
SendState = Literal["due", "begun", "sent", "refused", "in_doubt", "abandoned"]
# `press` is the stored word for a fallback that the caller used.
Cause = Literal["request", "press", "refused", "failed", "waited"]
# What a guess is settled as: `accepted` was not heard, but some code was taken; `returned` was certainly not compared.
GuessResult = Literal["right", "wrong", "accepted", "returned"]

# A send takes at most SEND_LIMIT; whoever takes it over waits until lease and grace are over.
SEND_LIMIT = 8.0
LEASE = 15.0
GRACE = 2.0
# Each goes by a channel that none before it went by.
MOST_SENDS = len(CHANNELS)


class SendToCheck(msgspec.Struct, kw_only=True):
    """What a code check needs of a send: whether it is out, and under which id."""

    state: SendState
    provider: str | None = None
    provider_id: str | None = None


class Send(SendToCheck, kw_only=True):
    """One send as the database keeps it. `allowed`: its decision, None before it was made.

    `captcha`: the captcha's result in that decision; `by`: the channel used instead of its own.
    """

    ordinal: int
    channel: Channel
    cause: Cause
    wanted_at: datetime
    due_at: datetime
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0
    allowed: bool | None = None
    delivery: Delivery | None = None
    captcha: CaptchaState | None = None
    by: Channel | None = None


class Offer(msgspec.Struct, frozen=True):
    """The next channel that a caller may use, and from when on."""

    channel: Channel
    available_at: datetime


class Begin(msgspec.Struct, frozen=True):
    """Make this send now; `new` when it has no row yet."""

    ordinal: int
    channel: Channel
    cause: Cause
    wanted_at: datetime
    new: bool


class TakeOver(msgspec.Struct, frozen=True):
    """This send was begun by a process that did not finish it."""

    send: Send


class GiveUp(msgspec.Struct, frozen=True):
    """This send could not be made within its deadline."""

    send: Send


class Rest(msgspec.Struct, frozen=True):
    """Nothing to do until then."""

    until: datetime


NextStep = Begin | TakeOver | GiveUp | Rest


def offer(fallback: FallbackSettings, used: Sequence[str], channel_used_at: datetime) -> Offer | None:
    """Return the channel that the caller may use next: by their own calls and the policy only."""
    if fallback.mode == "off":
        return None
    channel = next((channel for channel in fallback.order if channel not in used), None)
    return Offer(channel, channel_used_at + timedelta(seconds=fallback.after)) if channel else None


def plan(
    sends: Sequence[Send], fallback: FallbackSettings, deadline: float, expires_at: datetime, now: datetime
) -> NextStep:
    """Return what is to be done next for a pending verification. `deadline`: seconds that a send may wait."""
    # First of all: until it is known what became of a begun send, any other could be a second code.
    for send in sends:
        if send.state == "begun":
            return TakeOver(send)
    due = [send for send in sends if send.state == "due"]
    longest = timedelta(seconds=deadline)
    for send in due:
        # Before it is begun: a code that comes after the deadline reaches somebody who has given up.
        if now - send.wanted_at >= longest:
            return GiveUp(send)
        if send.due_at <= now:
            return Begin(send.ordinal, send.channel, send.cause, send.wanted_at, new=False)
    if not due and (follow := _follow(sends, fallback)) is not None:
        channel, cause, when = follow
        if when <= now:
            return Begin(len(sends) + 1, channel, cause, now, new=True)
        return Rest(min(when, expires_at))
    return Rest(min([min(send.due_at, send.wanted_at + longest) for send in due] + [expires_at]))


def _follow(sends: Sequence[Send], fallback: FallbackSettings) -> tuple[Channel, Cause, datetime] | None:
    """Return the channel that follows the newest send by itself, why and when; None if none does."""
    # An sms that went by call has used up both: the call must not come again, nor the sms that no landline gets.
    tried = {send.by or send.channel for send in sends} | {send.channel for send in sends}
    channel = next((channel for channel in fallback.order if channel not in tried), None)
    if fallback.mode == "off" or channel is None or len(sends) >= MOST_SENDS:
        return None
    newest = max(sends, key=lambda send: send.ordinal)
    ended_at = newest.ended_at or newest.wanted_at
    if newest.state == "refused":
        return channel, "refused", ended_at
    if newest.state == "sent" and newest.delivery == "failed":
        return channel, "failed", ended_at
    if newest.state in ("sent", "in_doubt") and newest.delivery != "delivered" and fallback.mode == "auto":
        return channel, "waited", ended_at + timedelta(seconds=fallback.after)
    return None
