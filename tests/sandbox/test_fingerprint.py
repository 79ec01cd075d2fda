"""The sandbox's Fingerprint serves events to order, in both versions of the API and sealed."""

from __future__ import annotations

import base64
import re
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.sandbox.faults import Fault, FaultKind
from service.sandbox.fingerprint.app import create_fingerprint
from service.sandbox.fingerprint.events import Mint
from service.sandbox.fingerprint.service import SimulatedFingerprint
from service.sandbox.stage import SandboxStage
from tests.support.serving import serve_app


class Caller:
    """One stand-in that is served, and calls to it."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, fingerprint: SimulatedFingerprint, stage: SandboxStage
    ) -> None:
        self.url = url
        self.session = session
        self.fingerprint = fingerprint
        self.stage = stage

    def mint(self, **order: Any) -> str:
        return self.fingerprint.mint(Mint(**order)).event_id

    async def read_v4(self, event_id: str) -> tuple[int, Any]:
        return await self.get(f"/v4/events/{event_id}", authorization="Bearer " + self.fingerprint.settings.secret_key)

    async def read_v3(self, event_id: str) -> tuple[int, Any]:
        return await self.get(f"/events/{event_id}", **{"auth-api-key": self.fingerprint.settings.secret_key})

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture
async def api() -> AsyncIterator[Caller]:
    app = create_fingerprint()
    async with serve_app(app) as url, aiohttp.ClientSession() as session:
        yield Caller(url, session, app.state.fingerprint, app.state.stage)


def unseal(sealed: str, key: str) -> Any:
    raw = base64.b64decode(sealed)
    assert raw[:4].hex() == "9e85dced"
    packed = AESGCM(base64.b64decode(key)).decrypt(raw[4:16], raw[16:], None)
    return msgspec.json.decode(zlib.decompress(packed, -zlib.MAX_WBITS))


async def test_an_event_tells_its_time_in_its_id(api: Caller) -> None:
    event_id = api.mint(age=60)
    assert re.fullmatch(r"[0-9]{13}\.[A-Za-z0-9]{6}", event_id)
    assert 59 < time.time() - int(event_id[:13]) / 1000 < 90
    _, body = await api.read_v4(event_id)
    assert (body["event_id"], body["timestamp"]) == (event_id, int(event_id[:13]))


async def test_both_versions_tell_the_same_of_one_event(api: Caller) -> None:
    order: dict[str, Any] = {
        "visitor_id": "visitor",
        "bot": "bad",
        "suspect_score": 31,
        "confidence": 0.5,
        "replayed": True,
        "ip": "198.51.100.9",
        "linked_id": "session-1",
        "vpn": True,
        "proxy": True,
        "tor": True,
        "tampering": True,
        "anti_detect_browser": True,
        "virtual_machine": True,
        "incognito": True,
    }
    event_id = api.mint(**order)
    _, v4 = await api.read_v4(event_id)
    _, v3 = await api.read_v3(event_id)
    products = {name: product["data"] for name, product in v3["products"].items()}
    identification = products["identification"]
    assert v4["identification"]["visitor_id"] == identification["visitorId"] == "visitor"
    assert v4["identification"]["confidence"]["score"] == identification["confidence"]["score"] == 0.5
    assert v4["timestamp"] == identification["timestamp"]
    assert v4["ip_address"] == identification["ip"] == "198.51.100.9"
    assert v4["linked_id"] == identification["linkedId"] == "session-1"
    assert v4["replayed"] is identification["replayed"] is True
    assert v4["bot"] == products["botd"]["bot"]["result"] == "bad"
    assert v4["suspect_score"] == products["suspectScore"]["result"] == 31
    assert v4["ip_blocklist"]["tor_node"] is products["tor"]["result"] is True
    assert v4["tampering_details"]["anti_detect_browser"] is products["tampering"]["antiDetectBrowser"] is True
    for name, product in [("vpn", "vpn"), ("proxy", "proxy"), ("tampering", "tampering"), ("incognito", "incognito")]:
        assert v4[name] is products[product]["result"] is True
    assert v4["virtual_machine"] is products["virtualMachine"]["result"] is True


async def test_an_ordinary_event_is_a_person_whom_nothing_speaks_against(api: Caller) -> None:
    event_id = api.mint()
    _, v4 = await api.read_v4(event_id)
    _, v3 = await api.read_v3(event_id)
    assert (v4["bot"], v4["suspect_score"], v4["replayed"], v4["vpn"]) == ("not_detected", 0, False, False)
    assert v3["products"]["botd"]["data"]["bot"]["result"] == "notDetected"


async def test_signals_can_be_missing(api: Caller) -> None:
    event_id = api.mint(missing=("bot", "tor", "replayed"))
    _, v4 = await api.read_v4(event_id)
    assert not {"bot", "ip_blocklist", "replayed"} & v4.keys()
    _, v3 = await api.read_v3(event_id)
    assert not {"botd", "tor"} & v3["products"].keys()
    assert "replayed" not in v3["products"]["identification"]["data"]


async def test_an_event_that_is_not_completed_holds_no_verdict(api: Caller) -> None:
    event_id = api.mint(partially_completed=True)
    _, v4 = await api.read_v4(event_id)
    assert v4["incremental_identification_status"] == "partially_completed"
    assert not {"bot", "suspect_score", "vpn", "tampering", "virtual_machine"} & v4.keys()
    assert v4["identification"]["visitor_id"]
    _, v3 = await api.read_v3(event_id)
    assert set(v3["products"]) == {"identification"}
    assert (await api.read_v4(api.mint(edge=True)))[1]["source"] == "edge"


async def test_an_unknown_event_and_one_that_is_not_visible_yet_are_not_found(api: Caller) -> None:
    for event_id in ("1708102555327.NLOjmg", api.mint(visible_after=60)):
        status, body = await api.read_v4(event_id)
        assert (status, body["error"]["code"]) == (404, "event_not_found")
        status, body = await api.read_v3(event_id)
        assert (status, body["error"]["code"]) == (404, "RequestNotFound")
    assert (await api.read_v4(api.mint(visible_after=0)))[0] == 200


async def test_a_malformed_id_is_turned_down(api: Caller) -> None:
    status, body = await api.read_v4("forged")
    assert (status, body["error"]["code"]) == (400, "request_cannot_be_parsed")
    assert (await api.read_v4("x/y"))[0] == 404
    assert (await api.read_v3("forged"))[0] == 404


async def test_each_version_asks_for_its_own_header(api: Caller) -> None:
    event_id = api.mint()
    assert (await api.get(f"/v4/events/{event_id}"))[1]["error"]["code"] == "secret_api_key_required"
    assert (await api.get(f"/events/{event_id}"))[1]["error"]["code"] == "TokenRequired"
    status, body = await api.get(f"/v4/events/{event_id}", authorization="Bearer wrong")
    assert (status, body["error"]["code"]) == (403, "secret_api_key_not_found")


@pytest.mark.parametrize(
    ("kind", "status", "v4", "v3"),
    [
        ("throttle", 429, "too_many_requests", "TooManyRequests"),
        ("error500", 500, "internal_server_error", "Failed"),
        ("forbidden", 403, "subscription_not_active", "SubscriptionNotActive"),
        ("not_found", 404, "event_not_found", "RequestNotFound"),
    ],
)
async def test_faults_are_worded_as_each_version_does(
    api: Caller, kind: FaultKind, status: int, v4: str, v3: str
) -> None:
    event_id = api.mint()
    api.stage.faults.add(Fault(kind=kind, operations=("event",), times=2))
    got, body = await api.read_v4(event_id)
    assert (got, body["error"]["code"]) == (status, v4)
    got, body = await api.read_v3(event_id)
    assert (got, body["error"]["code"]) == (status, v3)
    assert (await api.read_v4(event_id))[0] == 200


async def test_a_reset_reaches_fingerprint_too(api: Caller) -> None:
    api.stage.faults.add(Fault(kind="reset_before"))
    with pytest.raises(aiohttp.ClientError):
        await api.read_v4(api.mint())


async def test_a_sealed_result_is_the_event_itself() -> None:
    fingerprint = SimulatedFingerprint()
    v4 = fingerprint.mint(Mint(bot="bad"))
    unsealed = unseal(v4.sealed_result, fingerprint.sealed_key)
    assert (unsealed["event_id"], unsealed["bot"]) == (v4.event_id, "bad")
    v3 = fingerprint.mint(Mint(sealed_api="v3"))
    products = unseal(v3.sealed_result, fingerprint.sealed_key)["products"]
    assert products["identification"]["data"]["requestId"] == v3.event_id


async def test_events_can_be_minted_from_another_process(api: Caller) -> None:
    order = {"bot": "good", "age": 5, "missing": ["vpn"]}
    async with api.session.post(api.url + "/control/events", json=order) as response:
        assert response.status == 201
        minted = await response.json()
    _, body = await api.read_v4(minted["event_id"])
    assert body["bot"] == "good"
    assert unseal(minted["sealed_result"], api.fingerprint.sealed_key) == body
    async with api.session.post(api.url + "/control/events", json={"bot": "maybe"}) as response:
        assert response.status == 400
