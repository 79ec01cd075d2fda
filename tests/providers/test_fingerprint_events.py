"""One event is one value, whichever way it came: by API v4, by API v3, or sealed in either shape."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from service.providers.fingerprint.event import DeviceEvent, EventFound, EventUnavailable, EventUnknown
from service.providers.fingerprint.sealed import Sealed
from service.providers.fingerprint.sealed import _read as read_any
from service.providers.fingerprint.v3_body import read_v3
from service.providers.fingerprint.v4_body import read_v4
from service.sandbox.fingerprint.events import FingerprintEvent, Mint, mint_event
from service.sandbox.fingerprint.shapes import describe_v3, describe_v4
from tests.support.devices import LookupRig, run_rig

VERDICTS = ("bot", "suspect_score", "tampering", "vpn", "proxy", "tor", "virtual_machine", "incognito")
ID = "1708102555327.NLOjmg"

ORDERS: dict[str, dict[str, Any]] = {
    "an ordinary person": {},
    "a bad bot": {"bot": "bad", "suspect_score": 31, "tampering": True, "virtual_machine": True, "incognito": True},
    "a good bot": {"bot": "good"},
    "somebody who hides": {"vpn": True, "proxy": True, "tor": True, "confidence": 0.4},
    "a replay": {"replayed": True, "linked_id": "session-1"},
    "IPv6": {"ip": "2001:DB8:0:0::7"},
    "IPv4 in IPv6's clothes": {"ip": "::ffff:198.51.100.9"},
    "no bot verdict": {"missing": ("bot",)},
    "no verdict but incognito": {"missing": tuple(set(VERDICTS) - {"incognito"})},
    "no verdict at all": {"missing": (*VERDICTS, "replayed")},
    "not completed": {"partially_completed": True, "bot": "bad"},
    "an app on Android": {"platform": "android"},
    "an app on iOS, without a score": {"platform": "ios", "missing": ("suspect_score",)},
    "a data center": {"datacenter": True, "asn_network": "203.0.112.0/22"},
    "a relay": {"relay": True, "vpn": True},
    "a value of tomorrow": {"bot": "unknown"},
}
OF_BROWSERS = ("bot", "virtual_machine", "incognito")


@pytest.fixture(scope="module", params=["v4", "v3"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[LookupRig]:
    async with run_rig(request.param) as rig:
        yield rig


def compose(**order: Any) -> FingerprintEvent:
    return mint_event(Mint(**order))


def bodies(event: FingerprintEvent) -> list[DeviceEvent | EventUnknown | EventUnavailable]:
    v4, v3 = msgspec.json.encode(describe_v4(event)), msgspec.json.encode(describe_v3(event))
    return [read_v4(v4, event.id), read_v3(v3, event.id), read_any(v4), read_any(v3)]


@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
async def test_an_event_is_the_same_by_every_way(rig: LookupRig, order: dict[str, Any]) -> None:
    minted = rig.standing.mint(Mint(**order))
    event = await rig.find(minted.event_id)
    sealed = Sealed([base64.b64decode(rig.standing.sealed_key)])
    opened = sealed.read(minted.sealed_result, now=datetime.now(UTC))
    standing = rig.standing.find(minted.event_id)
    assert standing
    assert isinstance(opened, EventFound)
    assert [without_mark(one) for one in (opened.event, *bodies(standing))] == [without_mark(event)] * 5


def without_mark(event: DeviceEvent | EventUnknown | EventUnavailable) -> DeviceEvent:
    """Leave out that the event is not finished, which v4 alone can say."""
    assert isinstance(event, DeviceEvent)
    return msgspec.structs.replace(event, partial=False)


@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
def test_each_field_says_what_was_ordered(order: dict[str, Any]) -> None:
    event, wanted = compose(**order), Mint(**order)
    read = bodies(event)[0]
    assert isinstance(read, DeviceEvent)
    computed = not wanted.partially_completed
    absent = {*wanted.missing, *(OF_BROWSERS if wanted.platform != "js" else ())}
    for name in VERDICTS:
        known = computed and name not in absent and getattr(wanted, name) != "unknown"
        assert getattr(read, name) == (getattr(wanted, name) if known else None)
    assert read.unfamiliar == (("bot",) if wanted.bot == "unknown" else ())
    assert read.hosting is (wanted.datacenter if computed and read.ip_address else None)
    assert read.partial is wanted.partially_completed
    assert read.complete is (computed and not set(VERDICTS) <= set(wanted.missing))
    assert (read.event_id, read.visitor_id, read.linked_id) == (event.id, event.visitor_id, wanted.linked_id)
    assert read.confidence == wanted.confidence
    assert read.replayed is (None if "replayed" in wanted.missing else wanted.replayed)
    assert read.observed_at.timestamp() * 1000 == pytest.approx(event.made_at)


def test_an_address_has_one_spelling() -> None:
    spelled = {"2001:DB8:0:0::7": "2001:db8::7", "::ffff:198.51.100.9": "198.51.100.9", "not one": None, "1.2.3": None}
    for given_address, read in spelled.items():
        assert {getattr(one, "ip_address", "lost") for one in bodies(compose(ip=given_address))} == {read}


def test_a_verdict_that_came_with_an_event_that_was_not_completed_means_nothing() -> None:
    body = describe_v4(compose(bot="not_detected")) | {"incremental_identification_status": "partially_completed"}
    read = read_v4(msgspec.json.encode(body))
    assert isinstance(read, DeviceEvent)
    assert (read.complete, read.bot, read.vpn) == (False, None, None)


def read_whole(body: dict[str, Any]) -> DeviceEvent:
    read = read_v4(msgspec.json.encode(body))
    assert isinstance(read, DeviceEvent)
    return read


def test_an_event_from_the_edge_is_what_the_edge_can_tell() -> None:
    told = describe_v4(compose(edge=True, agent="ai_agent", vpn=True, datacenter=True, ip="198.51.100.9"))
    assert not {"identification", "bot", "ip_address", "suspect_score", "sdk"} & told.keys()
    read = read_whole(told)
    assert (read.source, read.complete, read.agent, read.vpn, read.hosting) == ("edge", True, "ai_agent", True, True)
    assert read.ip_address == "198.51.100.9"
    assert read_whole(told | {"bot": "not_detected", "tampering": True}) == read
    person = read_whole(describe_v4(compose(edge=True)))
    assert (person.complete, person.agent, person.bot, person.unfamiliar) == (True, None, None, ())


def test_a_product_of_v3_that_failed_is_named_and_where_all_did_there_is_no_event() -> None:
    products = ("identification", "bot", "suspect_score", "vpn", "proxy", "tor", "tampering", "virtual_machine")
    for failed in products:
        event = compose(failed=(failed,))
        read = read_v3(msgspec.json.encode(describe_v3(event)), event.id)
        assert isinstance(read, DeviceEvent)
        assert read.failed == ("confidence" if failed == "identification" else failed,)
        assert read.complete
    everything = compose(failed=products, missing=("incognito", "ip_info"))
    assert read_v3(msgspec.json.encode(describe_v3(everything)), everything.id) == EventUnavailable("products_failed")


def test_a_value_that_nobody_knows_yet_counts_as_none_and_is_named() -> None:
    told = describe_v4(compose())
    for name, value, named in (
        ("bot", "unsure", "bot"), ("tampering", "likely", "tampering"), ("suspect_score", "12", "suspect_score"),
        ("sdk", {"platform": "tv"}, "platform"), ("sdk", {"platform": ["js"]}, "platform"),
        ("source", "cloud", "source"), ("bot_info", "an agent", "bot_info"), ("vpn", {}, "vpn"),
    ):  # fmt: skip
        assert read_whole(told | {name: value}).unfamiliar == (named,)
    assert read_whole(told | {"ip_info": 3, "vpn_methods": [], "sdk": 4, "bot_info": None}).unfamiliar == ()
    assert read_whole(told | {"bot_info": {"category": "An agent!"}}).agent == "unknown"


def test_the_id_is_the_one_that_fingerprint_wrote_down() -> None:
    event = compose()
    for read in (
        read_v4(msgspec.json.encode(describe_v4(event)), ID),
        read_v3(msgspec.json.encode(describe_v3(event)), ID),
    ):
        assert isinstance(read, DeviceEvent)
        assert read.event_id == event.id


def test_no_two_visitors_share_the_word_for_nobody() -> None:
    for word in ("", "n/a"):
        v4 = read_v4(json.dumps({"event_id": ID, "identification": {"visitor_id": word}}).encode())
        person = {"requestId": ID, "visitorId": word}
        v3 = read_v3(json.dumps({"products": {"identification": {"data": person}}}).encode())
        assert isinstance(v4, DeviceEvent)
        assert v4 == v3
        assert v4.visitor_id is None
