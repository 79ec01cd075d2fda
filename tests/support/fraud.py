"""A gateway with a Fingerprint account and every rule as it ships, and what its decisions found.

Used by the tests of the fraud checks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import msgspec

from service import phone
from service.db.engine import Database
from service.fraud.decision import Decision
from service.fraud.facts import DeviceFacts, Facts
from service.fraud.stages import HISTORY
from service.policy.loading import parse
from tests.support.gateway import PHONE, POLICY, Gateway, run_gateway
from tests.support.waiting import until

SHIPPED = parse("").default.rules
ENFORCED = "".join(
    f'[rules.{rule}]\nmode = "{getattr(SHIPPED, rule).mode}"\n' for rule in HISTORY.rules if rule != "block"
)
FINGERPRINT_KEY = "SANDBOX_FINGERPRINT_SECRET"
# A decision is kept before its send is made; a send was tried and recorded when it counts as an attempt.
DECISION = "select decision from sends where verification_id = $1 and ordinal = $2 and attempts > 0"

BEGUN = """
insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at)
values ($1, 1, $1, 'sms', 'request', 'begun', now(), now(), now())
"""


@asynccontextmanager
async def run_guarded(database_url: str, policy: str = "", **more: Any) -> AsyncIterator[Gateway]:
    """Run a gateway whose history rules are enforced and which can look events up."""
    settings: dict[str, Any] = {"FINGERPRINT_SECRET_KEY": FINGERPRINT_KEY} | more
    async with run_gateway(database_url, policy=POLICY + ENFORCED + policy, **settings) as gateway:
        yield gateway


async def mint(gateway: Gateway, **order: Any) -> str:
    """Have the stand-in make a device event, and return its id."""
    return str((await mint_whole(gateway, **order))["event_id"])


async def mint_whole(gateway: Gateway, **order: Any) -> dict[str, Any]:
    """Have the stand-in make a device event, and return its id and sealed result."""
    url = gateway.environment["FINGERPRINT_BASE_URL"]
    async with aiohttp.request("POST", f"{url}/control/events", json={"ip": "203.0.113.9"} | order) as response:
        assert response.status < 300, await response.text()
        made: dict[str, Any] = await response.json()
        return made


async def findings_of(gateway: Gateway, verification: str, ordinal: int = 1) -> dict[str, str]:
    """Wait for a send's decision, and return its findings as rule: mode."""
    told: str | None = None

    async def is_recorded() -> bool:
        nonlocal told
        told = await gateway.database.pool.fetchval(DECISION, UUID(verification), ordinal)
        return told is not None

    await until(is_recorded, "a decision is recorded")
    return {finding["rule"]: finding["mode"] for finding in msgspec.json.decode(told or "")["findings"]}


async def enforced(gateway: Gateway, verification: str) -> set[str]:
    """Return the rules that suppressed a send."""
    return {rule for rule, mode in (await findings_of(gateway, verification)).items() if mode == "enforce"}


def sends_to(gateway: Gateway, phone_number: str) -> int:
    """Count the sends to a number that reached Telnyx."""
    return sum(1 for call in gateway.stage.journal.list_calls("send") if call.phone_number == phone_number)


async def begin_send(database: Database) -> UUID:
    """Leave a send as it stands while it is decided, and return its verification."""
    row = uuid4()
    await database.pool.execute(BEGUN, row)
    return row


def decide(*, allow: bool) -> Decision:
    """Make a decision that nothing objected to, or something did that left no finding."""
    return Decision(allow, [], Facts(phone.describe(PHONE), "sms", DeviceFacts("none"), {}), "")
