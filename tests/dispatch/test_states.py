"""What follows from a verification's sends: the next thing to do, and the channel a caller is offered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.channels import Channel
from service.policy.model import FallbackSettings
from service.policy.units import Seconds
from service.verification.states import (
    MOST_SENDS,
    Begin,
    Cause,
    GiveUp,
    NextStep,
    Rest,
    Send,
    SendState,
    TakeOver,
    offer,
    plan,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE = 60.0
EXPIRES = NOW + timedelta(minutes=4)
CHANNELS: tuple[Channel, ...] = get_args(Channel)
Mode = Literal["offer", "auto", "off"]

seconds = st.integers(-80, 80).map(lambda number: NOW + timedelta(seconds=number))
fallbacks = st.builds(
    FallbackSettings,
    mode=st.sampled_from(["offer", "auto", "off"]),
    after=st.integers(1, 90).map(Seconds),
    extends_to=st.just(Seconds(120)),
    order=st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Send]:
    """Any sends that one verification can have: each channel once, one of them under way at most."""
    channels = draw(st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True))
    begun = draw(st.sampled_from([None, *range(len(channels))]))
    others = st.sampled_from([state for state in get_args(SendState) if state != "begun"])
    return [
        send(
            channel,
            "begun" if ordinal == begun else draw(others),
            ordinal=ordinal + 1,
            cause=draw(st.sampled_from(get_args(Cause))),
            wanted_at=draw(seconds.filter(lambda moment: moment <= NOW)),
            due_at=draw(seconds),
            ended_at=draw(seconds.filter(lambda moment: moment <= NOW)),
            delivery=draw(st.sampled_from([None, "sent", "unconfirmed", "failed", "delivered"])),
        )
        for ordinal, channel in enumerate(channels)
    ]


def send(channel: Channel, state: SendState, **given: Any) -> Send:
    fields: dict[str, Any] = {"ordinal": 1, "cause": "request", "wanted_at": NOW, "due_at": NOW} | given
    return Send(channel=channel, state=state, **fields)


def next_of(*sends: Send, mode: Mode = "offer", after: float = 0.0) -> NextStep:
    fallback = FallbackSettings(
        mode=mode, after=Seconds(30), extends_to=Seconds(120), order=["sms", "call", "flashcall"]
    )
    return plan(sends, fallback, DEADLINE, EXPIRES, NOW + timedelta(seconds=after))


@given(histories(), fallbacks)
def test_no_channel_is_sent_on_twice_and_no_verification_has_more_than_three_sends(
    sends: list[Send], given_fallback: FallbackSettings
) -> None:
    step = plan(sends, given_fallback, DEADLINE, EXPIRES, NOW)
    if isinstance(step, Begin) and step.new:
        assert step.channel not in [one.channel for one in sends]
        assert step.channel in given_fallback.order
        assert step.ordinal == len(sends) + 1 <= MOST_SENDS


@given(histories(), fallbacks)
def test_nothing_is_begun_while_a_send_is_under_way(sends: list[Send], given_fallback: FallbackSettings) -> None:
    step = plan(sends, given_fallback, DEADLINE, EXPIRES, NOW)
    under_way = [one for one in sends if one.state == "begun"]
    assert isinstance(step, TakeOver) == bool(under_way)


@given(histories(), fallbacks)
def test_a_rest_ends_in_the_future_and_at_the_expiry_at_the_latest(
    sends: list[Send], given_fallback: FallbackSettings
) -> None:
    step = plan(sends, given_fallback, DEADLINE, EXPIRES, NOW)
    if isinstance(step, Rest):
        assert NOW < step.until <= EXPIRES


@given(histories(), fallbacks)
def test_no_send_waits_past_its_deadline_however_late_it_is_due(
    sends: list[Send], given_fallback: FallbackSettings
) -> None:
    deadlines = [one.wanted_at + timedelta(seconds=DEADLINE) for one in sends if one.state == "due"]
    step = plan(sends, given_fallback, DEADLINE, EXPIRES, NOW)
    if isinstance(step, Rest) and deadlines:
        assert step.until <= min(deadlines)
    if isinstance(step, Begin) and not step.new:
        assert step.wanted_at + timedelta(seconds=DEADLINE) >= NOW


@given(histories(), fallbacks.map(lambda one: msgspec.structs.replace(one, mode="off")))
def test_with_fallback_off_no_channel_follows_by_itself(sends: list[Send], off: FallbackSettings) -> None:
    step = plan(sends, off, DEADLINE, EXPIRES, NOW)
    assert not (isinstance(step, Begin) and step.new)


def test_a_refused_or_failed_send_goes_on_at_once_unless_fallback_is_off() -> None:
    refused = send("sms", "refused", ended_at=NOW)
    failed = send("sms", "sent", ended_at=NOW, delivery="failed")
    modes: tuple[Mode, ...] = ("offer", "auto")
    for mode in modes:
        assert next_of(refused, mode=mode) == Begin(2, "call", "refused", NOW, new=True)
        assert next_of(failed, mode=mode) == Begin(2, "call", "failed", NOW, new=True)
    assert next_of(refused, mode="off") == next_of(failed, mode="off") == Rest(EXPIRES)


def test_only_auto_goes_on_without_delivery_and_only_once_its_time_has_come() -> None:
    sent = send("sms", "sent", ended_at=NOW, delivery="sent")
    assert next_of(sent, mode="auto", after=29) == Rest(NOW + timedelta(seconds=30))
    assert next_of(sent, mode="auto", after=30) == Begin(2, "call", "waited", NOW + timedelta(seconds=30), new=True)
    assert next_of(sent, mode="offer", after=200) == Rest(EXPIRES)
    delivered = send("sms", "sent", ended_at=NOW, delivery="delivered")
    assert next_of(delivered, mode="auto", after=200) == Rest(EXPIRES)
    in_doubt = send("sms", "in_doubt", ended_at=NOW)
    assert isinstance(next_of(in_doubt, mode="auto", after=30), Begin)


def test_a_send_that_was_given_up_is_not_followed_by_another_channel() -> None:
    assert next_of(send("sms", "abandoned", ended_at=NOW), mode="auto", after=90) == Rest(EXPIRES)
    late = send("sms", "due", due_at=NOW + timedelta(seconds=100))
    assert next_of(late, after=59) == Rest(NOW + timedelta(seconds=DEADLINE))
    assert next_of(late, after=60) == GiveUp(late)


def test_a_fallback_is_sent_while_an_earlier_send_still_backs_off() -> None:
    waiting = send("sms", "due", due_at=NOW + timedelta(seconds=8))
    used = send("call", "due", ordinal=2, cause="press")
    assert next_of(waiting, used) == Begin(2, "call", "press", NOW, new=False)


@given(fallbacks, st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True))
def test_the_offer_is_the_first_channel_of_the_order_that_the_caller_has_not_used(
    given_fallback: FallbackSettings, used: list[str]
) -> None:
    offered = offer(given_fallback, used, NOW)
    left = [channel for channel in given_fallback.order if channel not in used]
    if given_fallback.mode == "off" or not left:
        assert offered is None
    else:
        assert offered is not None
        assert (offered.channel, offered.available_at) == (left[0], NOW + timedelta(seconds=given_fallback.after))
