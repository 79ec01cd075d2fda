"""Decisions are read by processes of the release before (0.1.0) while a version is rolled out, and by those after it.

What 0.1.0 reads of a device stands here as it read it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from service.fraud.storage.resolving import DECISIONS
from service.operators.backtesting.backtest import decide_again
from service.policy import loading
from service.sandbox.captcha_app import SECRET
from tests.support.fraud import findings_of, mint, run_guarded
from tests.support.gateway import Gateway

DECISION = "select decision::text from sends where verification_id = $1"
NEW_OF_EVENT = (
    "hosting",
    "agent",
    "platform",
    "source",
    "networks",
    "relay",
    "partial",
    "failed",
    "unfamiliar",
    "countries",
)


class OldEvent(msgspec.Struct, kw_only=True):
    event_id: str
    observed_at: datetime
    complete: bool
    visitor_id: str | None
    confidence: float | None
    replayed: bool | None
    ip_address: str | None
    linked_id: str | None
    bot: Literal["not_detected", "good", "bad"] | None
    suspect_score: float | None
    tampering: bool | None
    vpn: bool | None
    proxy: bool | None
    tor: bool | None
    virtual_machine: bool | None
    incognito: bool | None


class OldDevice(msgspec.Struct):
    state: Literal["none", "found", "malformed", "stale", "unknown", "unasked", "unread"]
    event: OldEvent | None = None
    bound: bool | None = None
    age: float | None = None
    same_place: bool = True
    same_account: bool = True


class OldFacts(msgspec.Struct):
    number: dict[str, Any]
    channel: Literal["sms", "call", "flashcall"]
    device: OldDevice
    histories: dict[str, Any]
    captcha: Literal["none", "passed", "failed", "unread"] = "none"


class OldDecision(msgspec.Struct):
    allow: bool
    findings: list[dict[str, str]]
    facts: OldFacts
    policy_version: str
    by: str | None = None


async def decide_each(gateway: Gateway, orders: list[dict[str, Any]]) -> list[str]:
    """Have sends decided by events made to order; return the decisions as they are stored."""
    found = []
    for number, order in enumerate(orders):
        token = f"pass:score=0.{number}:1-{number}"
        verification = await gateway.begin(
            f"+1{212 + number}5550142", device_event_id=await mint(gateway, **order), captcha_token=token
        )
        await findings_of(gateway, verification)
        found.append(await gateway.database.pool.fetchval(DECISION, UUID(verification)))
    return found


OF_V4: list[dict[str, Any]] = [
    {}, {"platform": "android"}, {"edge": True, "agent": "ai_agent", "datacenter": True}, {"bot": "unknown"},
    {"missing": ["bot", "tampering"], "relay": True}, {"partially_completed": True},
]  # fmt: skip
OF_V3: list[dict[str, Any]] = [{"failed": ["bot"]}, {"failed": ["identification"]}, {"platform": "ios"}]
SCORED = '[rules.captcha]\nmode = "observe"\n'


async def test_what_this_version_stores_is_read_by_processes_of_the_release_before(database_url: str) -> None:
    captcha = {"CAPTCHA_PROVIDER": "recaptcha", "CAPTCHA_SECRET": SECRET}
    for version, orders in (("v4", OF_V4), ("v3", OF_V3)):
        async with run_guarded(database_url, SCORED, FINGERPRINT_API=version, **captcha) as gateway:
            for told in await decide_each(gateway, orders):
                msgspec.json.decode(told, type=OldDecision)


async def test_what_the_release_before_stored_is_read_and_decided_as_it_was(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        policy = loading.load(gateway.environment["POLICY_FILE"]).default
        for told in await decide_each(gateway, [{}, {"bot": "bad"}, {"tor": True}]):
            old = msgspec.json.decode(told)
            for name in NEW_OF_EVENT:
                old["facts"]["device"]["event"].pop(name)
            del old["facts"]["device"]["absent"], old["facts"]["captcha_told"]
            read = DECISIONS.decode(msgspec.json.encode(old))
            again = decide_again(read, policy)
            assert (again.allow, again.findings) == (read.allow, read.findings)
