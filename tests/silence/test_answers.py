"""A verification from beginning to end looks the same to its caller, be it real or any kind of decoy."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tests.support.decoys import KINDS, refuse_canada
from tests.support.gateway import POLICY, Gateway, run_gateway

QUICK = POLICY + '[fallback]\nafter = "1s"\n'
WRONG = "12345"
Tale = list[tuple[Any, ...]]


class Caller:
    """Makes calls and writes down all that can be seen of the answers, but ids and the time of day."""

    def __init__(self, gateway: Gateway, fields: dict[str, Any]) -> None:
        self.gateway = gateway
        self.fields = fields
        self.tale: Tale = []
        self.path = ""
        self.created_at = ""

    async def call(self, method: str, what: str = "", body: Any = None, **headers: str) -> None:
        given = {"authorization": f"Bearer {self.gateway.key}"} | headers
        url = f"{self.gateway.url}/v1/verifications{self.path}{what}"
        async with self.gateway.session.request(method, url, json=body, headers=given) as answer:
            raw, told = await answer.read(), await answer.json(content_type=None)
            seen = {key: self._relate(key, value) for key, value in told.items() if key != "id"}
            fixed = {b"x-request-id": b"", b"date": b"", b"retry-after": b""}
            headers_seen = [(name.lower(), fixed.get(name.lower(), text)) for name, text in answer.raw_headers]
            self.tale.append((method, what, answer.status, headers_seen, len(raw), seen))
        if answer.status == 202 and not self.path:
            self.path = f"/{told['id']}"

    def _relate(self, key: str, value: Any) -> Any:
        """Tell a time by how long after the request it is."""
        if key == "created_at":
            self.created_at = value
            return None
        if key == "fallback" and value:
            return value["channel"]
        if key == "expires_at":
            return round((datetime.fromisoformat(value) - datetime.fromisoformat(self.created_at)).total_seconds(), 3)
        return value

    async def live(self) -> Tale:
        await self.call("POST", body=self.fields, **{"idempotency-key": str(self.fields["phone_number"])})
        path, self.path = self.path, ""
        await self.call("POST", body=self.fields, **{"idempotency-key": str(self.fields["phone_number"])})
        self.path = path
        await self.call("GET")
        await self.call("POST", "/fallback")
        key = {"idempotency-key": self.path}
        await self.call("POST", "/verify", {"code": WRONG}, **key)
        await self.call("POST", "/verify", {"code": WRONG}, **key)
        await self.call("POST", "/fallback")
        await self.call("POST", "/verify", {"code": "no code"})
        await self.call("GET")
        for _ in range(4):
            await self.call("POST", "/verify", {"code": WRONG})
        for method, what in (("POST", "/verify"), ("POST", "/fallback"), ("POST", "/cancel"), ("GET", "")):
            await self.call(method, what, {"code": WRONG} if what == "/verify" else None)
        return self.tale


@pytest.fixture
async def gateway(database_url: str) -> Any:
    async with run_gateway(database_url, policy=QUICK) as running:
        refuse_canada(running)
        running.stage.latency = {"send": 0.1, "check": 0.1}
        yield running


async def test_a_life_until_the_lock_looks_the_same(gateway: Gateway) -> None:
    lives = [Caller(gateway, {"ip_address": "203.0.113.9", **fields}) for fields in KINDS.values()]
    tales = await asyncio.gather(*(life.live() for life in lives))
    statuses = [told[2] for told in tales[0]]
    assert statuses == [202, 202, 200, 409, 200, 200, 202, 422, 200, 200, 200, 200, 200, 409, 409, 409, 200]
    for kind, tale in zip(KINDS, tales, strict=True):
        assert tale == tales[0], kind


async def test_a_life_until_it_expires_or_is_canceled_looks_the_same(gateway: Gateway) -> None:
    lives = [Caller(gateway, {"ip_address": "203.0.113.9", **fields}) for fields in KINDS.values()]

    async def live(life: Caller) -> Tale:
        await life.call("POST", body=life.fields)
        await life.call("POST", "/cancel")
        await life.call("POST", "/verify", {"code": WRONG})
        await life.call("GET")
        life.path = ""
        await life.call("POST", body=life.fields)
        await gateway.database.pool.execute("update verifications set expires_at = now() where status = 'pending'")
        for method, what in (("POST", "/verify"), ("POST", "/fallback"), ("POST", "/cancel"), ("GET", "")):
            await life.call(method, what, {"code": WRONG} if what == "/verify" else None)
        return [(*told[:5], {**told[5], "expires_at": None}) for told in life.tale]

    tales = [await live(life) for life in lives]
    assert tales[0][-1][5]["status"] == "expired"
    for kind, tale in zip(KINDS, tales, strict=True):
        assert tale == tales[0], kind


async def test_second_taps_look_the_same(database_url: str) -> None:
    policy = POLICY + '[verification]\nrepeat_within = "1m"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        refuse_canada(gateway)
        lives = [Caller(gateway, {"ip_address": "203.0.113.9", **fields}) for fields in KINDS.values()]

        async def live(life: Caller) -> Tale:
            for headers in ({}, {}, {"idempotency-key": str(life.fields["phone_number"])}, {}):
                life.path = ""
                await life.call("POST", body=life.fields, **headers)
            await life.call("POST", "/cancel")
            life.path = ""
            await life.call("POST", body=life.fields)
            return life.tale

        tales = await asyncio.gather(*map(live, lives))
    replayed = [(b"idempotent-replayed", b"true") in told[3] for told in tales[0]]
    assert replayed == [False, True, True, True, False, False]
    for kind, tale in zip(KINDS, tales, strict=True):
        assert tale == tales[0], kind
