"""Whatever a body of Fingerprint's holds, or a visitor put into it, is decoded without failing."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.providers.fingerprint.bodies import DecodedEvent
from service.providers.fingerprint.event import DeviceEvent, EventUnavailable, EventUnknown
from service.providers.fingerprint.sealed import _read as read_any
from service.providers.fingerprint.v3_body import read_v3
from service.providers.fingerprint.v4_body import read_v4
from service.sandbox.fingerprint.events import Mint, mint_event
from service.sandbox.fingerprint.shapes import describe_v3, describe_v4

ID = "1708102555327.NLOjmg"
EVENT = mint_event(Mint(bot="bad", linked_id="mine", tags={"x": "POISON"}))
V4 = describe_v4(EVENT)
V3 = describe_v3(EVENT)


def poison(with_what: bytes) -> list[DecodedEvent]:
    """Read both bodies of the event with something else at the place of its tag."""
    v4, v3 = (msgspec.json.encode(body).replace(b'"POISON"', with_what) for body in (V4, V3))
    return [read_v4(v4, EVENT.id), read_v3(v3, EVENT.id)]


def test_a_field_of_another_kind_costs_that_field_and_not_the_event() -> None:
    body = V4 | {"bot": 3, "vpn": "false", "suspect_score": True, "replayed": None, "linked_id": []}
    read = read_v4(msgspec.json.encode(body))
    assert isinstance(read, DeviceEvent)
    assert (read.bot, read.vpn, read.suspect_score, read.replayed, read.linked_id) == (None,) * 5
    assert read.proxy is False


def test_a_number_beyond_all_measure_costs_its_field_and_not_the_event() -> None:
    """msgspec reads whole numbers of any length, and no float holds them."""
    for body, read in ((V4, read_v4), (V3, read_v3)):
        huge = re.sub(
            rb'("(?:score|result|suspect_score)":)[0-9.]+', rb"\g<1>1" + b"0" * 400, msgspec.json.encode(body)
        )
        event = read(huge)
        assert isinstance(event, DeviceEvent)
        assert (event.suspect_score, event.confidence, event.bot) == (None, None, "bad")


def test_the_least_event_of_either_api_is_read() -> None:
    least = read_v4(b'{"event_id":"%s"}' % ID.encode())
    assert isinstance(least, DeviceEvent)
    assert (least.complete, least.visitor_id, least.bot) == (False, None, None)
    assert least.observed_at == datetime(2024, 2, 16, 16, 55, 55, 327000, tzinfo=UTC)
    bot_alone = read_v3(b'{"products":{"botd":{"data":{"bot":{"result":"bad"}}},"vpn":{"error":{}}}}', ID)
    assert isinstance(bot_alone, DeviceEvent)
    assert (bot_alone.event_id, bot_alone.bot, bot_alone.vpn) == (ID, "bad", None)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"<html>", b'{"data":{}}', b'{"products":{}}', b"\xff\xfe"]
)
def test_what_is_no_event_is_down_and_not_held_against_anybody(body: bytes) -> None:
    assert read_v4(body, ID) == read_v3(body, ID) == read_any(body) == EventUnavailable("unreadable")


NINES = "9" * 5_000
TAGS = [r'"\ud800"', NINES, r'["\ud800",' + NINES + "]", r'{"\udfff":1}', r'"\u0000"', "1e999", "[" * 300 + "]" * 300]


@pytest.mark.parametrize("tag", TAGS)
def test_a_visitors_tag_does_not_make_an_event_undecodable(tag: str) -> None:
    for read in poison(tag.encode()):
        assert isinstance(read, DeviceEvent)
        assert (read.bot, read.linked_id, read.event_id) == ("bad", "mine", EVENT.id)


@pytest.mark.parametrize("depth", [5_000, 200_000])
def test_depth_without_end_is_held_against_who_made_it(depth: int) -> None:
    assert poison(b"[" * depth + b"]" * depth) == [EventUnknown("unreadable")] * 2
    surrogate_first = rb'["\ud800",' + b"[" * depth + b"]" * depth + b"]"
    assert poison(surrogate_first) == [EventUnknown("unreadable")] * 2


def test_a_linked_id_reaches_nobody_raw() -> None:
    for poison in (r"a\ud800", r"a\u0000"):
        body = b'{"event_id":"%s","linked_id":"%s"}' % (ID.encode(), poison.encode())
        read = read_v4(body)
        assert isinstance(read, DeviceEvent)
        assert read.linked_id
        assert "\0" not in read.linked_id
        assert read.linked_id.encode().decode() != "a"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([ID, "bad", "n/a", 0])
things = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


def check_readers(body: bytes) -> None:
    for read in (read_v4(body, ID), read_v3(body, ID), read_any(body)):
        assert isinstance(read, DeviceEvent | EventUnavailable)
        assert "\\u0000" not in msgspec.json.encode(read).decode()


@given(st.binary() | things.map(lambda thing: json.dumps(thing).encode()))
def test_no_body_makes_a_decoder_fail(body: bytes) -> None:
    check_readers(body)


@given(st.sampled_from([V4, V3]), st.integers(0, 1_000), things)
def test_nothing_at_any_place_of_an_event_makes_a_decoder_fail(body: dict[str, Any], place: int, thing: Any) -> None:
    changed = deepcopy(body)
    places = list_places(changed)
    holder, name = places[place % len(places)]
    holder[name] = thing
    check_readers(json.dumps(changed).encode())


def list_places(thing: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    inner = [place for value in thing.values() if isinstance(value, dict) for place in list_places(value)]
    return [(thing, name) for name in thing] + inner
