"""Both sides play: a stranger does what a stranger can, the owner of the number still gets in, and nothing tells."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest

from service.sandbox.fingerprint.events import Mint
from service.sandbox.fingerprint.service import FingerprintSettings, SimulatedFingerprint
from tests.support.gateway import ADDRESS, OTHER_PHONE, PHONE, Calls, Gateway, Reply, run_gateway
from tests.support.guessing import begin_and_read, guess_all, wrong_codes

STRANGER, AWAY = "198.51.100.7", "192.0.2.44"
ACCOUNT = "account-4711"
SEALED_KEY = b"k" * 32
TOLD = ("id", "created_at", "expires_at", "fallback")  # what differs between any two verifications
Source = Callable[[], dict[str, Any]]


def at_an_address() -> dict[str, Any]:
    return {"ip_address": ADDRESS}


def in_an_account_away_from_home() -> dict[str, Any]:
    return {"ip_address": AWAY, "account_id": ACCOUNT}


def on_a_device_away_from_home() -> dict[str, Any]:
    """Every request has an event of its own; the visitor is one."""
    made = SimulatedFingerprint(FingerprintSettings(sealed_key=SEALED_KEY)).mint(
        Mint(visitor_id="visitor-of-the-owner", ip=AWAY)
    )
    return {"ip_address": AWAY, "device_sealed_result": made.sealed_result}


def look_of(reply: Reply) -> tuple[Any, ...]:
    """All that is told, but for what differs between any two verifications."""
    body = {name: value for name, value in reply.body.items() if name not in TOLD}
    waits = int(reply.headers.get("retry-after", 0))
    # Two strangers do not begin in the same second.
    return reply.status, body, sorted(set(reply.headers) - {"x-request-id", "date"}), round(waits / 10)


async def flood(calls: Calls, phone: str) -> list[Any]:
    """Do what a stranger can do against a number, and return all that they were told."""
    told = []
    for fields in ({}, {}, {"deliver": False}, {}, {"deliver": False}, {"account_id": "named"}):
        asked = await calls.request(phone, ip_address=STRANGER, **fields)
        told.append(look_of(asked))
        if asked.status == 202:
            # Each of these is wrong, but for a chance of one in two hundred thousand.
            replies = await guess_all([calls], asked.body["id"], wrong_codes("000000", 5))
            told += sorted(map(look_of, replies), key=str)
            told.append(look_of(await calls.read(asked.body["id"])))
    return told


async def get_in(gateway: Gateway, phone: str, fields: dict[str, Any]) -> None:
    verification, code = await begin_and_read(gateway, phone, **fields)
    assert (await gateway.verify(verification, code)).body["verified"] is True


@pytest.mark.parametrize("source", [at_an_address, in_an_account_away_from_home, on_a_device_away_from_home])
async def test_strangers_lock_nobody_out_of_a_known_source_and_cannot_tell_that_there_is_one(
    database_url: str, source: Source
) -> None:
    """Three requests, decoys, wrong codes from elsewhere: as if to a number that nobody ever verified."""
    async with run_gateway(database_url, FINGERPRINT_SEALED_KEYS=base64.b64encode(SEALED_KEY).decode()) as gateway:
        home = {"ip_address": ADDRESS}
        if source is in_an_account_away_from_home:
            home |= {"account_id": ACCOUNT}
        await get_in(gateway, PHONE, source() if source is on_a_device_away_from_home else home)
        await gateway.database.pool.execute("delete from counters")
        owned, bare = await asyncio.gather(flood(gateway, PHONE), flood(gateway, OTHER_PHONE))
        assert owned == bare
        assert [look[0] for look in owned].count(429) >= 3
        assert (await gateway.request(ip_address=AWAY)).status == 429
        await get_in(gateway, PHONE, source())
        assert (await gateway.request(PHONE, ip_address=STRANGER)).status == 429
        assert (await gateway.request(OTHER_PHONE, ip_address=ADDRESS)).status == 429


async def test_requests_in_an_accounts_name_close_it_for_no_number_that_it_verified(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        home = {"ip_address": ADDRESS, "account_id": ACCOUNT}
        await get_in(gateway, PHONE, home)
        named = [
            (await gateway.request(f"+1312555{n:04}", ip_address=STRANGER, account_id=ACCOUNT)).status for n in range(6)
        ]
        assert named[-1] == 429
        await get_in(gateway, PHONE, home)
