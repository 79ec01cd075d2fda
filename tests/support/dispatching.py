"""Looking on while a gateway sends: what reached Telnyx, what the rows say, and leases that run out on demand.

Used by the tests of the dispatch. Reads the database directly, for what is checked here no caller can see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from service.app import create_app
from service.channels import Channel
from service.sandbox.journal import JournalEntry
from service.sandbox.telnyx.service import PROFILE_ID, OrderedSend
from service.sandbox.telnyx.state import TelnyxVerification
from service.settings import Settings, load
from tests.support.gateway import Calls, Gateway
from tests.support.routes import lend_routes
from tests.support.serving import serve_app
from tests.support.waiting import PATIENCE, until

SENDS = "select * from sends where verification_id = $1 order by ordinal"


def numbers(count: int, first: int = 0) -> list[str]:
    """Make valid numbers that differ."""
    return [f"+1312555{1000 + first + number}" for number in range(count)]


def calls_to(gateway: Gateway, phone_number: str) -> list[JournalEntry]:
    """List the sends to a number that reached Telnyx, acted upon or not."""
    return [call for call in gateway.stage.journal.list_calls("send") if call.phone_number == phone_number]


def acted_on(gateway: Gateway, phone_number: str) -> list[JournalEntry]:
    """List the sends to a number that had their effect."""
    return [call for call in calls_to(gateway, phone_number) if call.acted]


async def sends(gateway: Gateway, verification: str) -> list[Any]:
    """Read the sends of a verification from the database."""
    return list(await gateway.database.pool.fetch(SENDS, UUID(verification)))


async def row(gateway: Gateway, verification: str) -> Any:
    """Read a verification from the database."""
    return await gateway.database.pool.fetchrow("select * from verifications where id = $1", UUID(verification))


async def ended(gateway: Gateway, verification: str, count: int = 1, patience: float = PATIENCE) -> list[Any]:
    """Wait until a verification has that many sends and each has ended; return them."""

    async def done() -> bool:
        found = await sends(gateway, verification)
        return len(found) == count and all(send["state"] not in ("due", "begun") for send in found)

    await until(done, f"{count} send(s) ended", patience)
    return await sends(gateway, verification)


async def end_lease(gateway: Gateway, verification: str) -> None:
    """Let the lease and its grace be over now, as if the process that holds it had stood still."""
    await gateway.database.pool.execute(
        "update verifications set next_action_at = clock_timestamp() where id = $1", UUID(verification)
    )


async def crash(gateway: Gateway, verification: str, *, begun: float = 20.0, wanted: float = 20.0) -> None:
    """Leave a due row as a process does that died in its send, `begun` seconds ago; its lease is over now."""
    await gateway.database.pool.execute(
        "update sends set state = 'begun', begun_at = clock_timestamp() - make_interval(secs => $2), "
        "wanted_at = clock_timestamp() - make_interval(secs => $3) where verification_id = $1",
        UUID(verification), begun, wanted,
    )  # fmt: skip
    await gateway.database.pool.execute(
        "update verifications set lease_token = gen_random_uuid(), lease_until = clock_timestamp(), "
        "next_action_at = clock_timestamp() where id = $1",
        UUID(verification),
    )


def make_at_telnyx(
    gateway: Gateway, phone_number: str, *, channel: Channel = "sms", profile: str = PROFILE_ID
) -> TelnyxVerification:
    """Have Telnyx hold a verification of a number though nobody called it."""
    known = gateway.telnyx.profiles.find(PROFILE_ID)
    assert known is not None
    order = OrderedSend(
        channel=channel, phone_number=phone_number, profile_id=profile, timeout_secs=300, custom_code=None
    )
    return gateway.telnyx.send(order, known)


def send_webhooks(gateway: Gateway) -> None:
    """Have the stand-in tell the gateway what became of each send."""
    profile = gateway.telnyx.profiles.find(PROFILE_ID)
    assert profile is not None
    profile.fields["webhook_url"] = f"{gateway.url}/webhooks/verify"


@asynccontextmanager
async def run_beside(gateway: Gateway, **more: str) -> AsyncIterator[Calls]:
    """Serve a second gateway on the same settings: its own slots, batches and breaker; only the database is shared.

    `more`: settings that are the second's alone.
    """
    settings = load(Settings, **{name.lower(): value for name, value in (gateway.environment | more).items()})
    async with serve_app(create_app(settings, routes=lend_routes)) as url:
        yield Calls(url, gateway.key, gateway.session)
