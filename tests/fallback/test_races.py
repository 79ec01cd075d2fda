"""A fallback and the automatic channel at once: nobody sees that they met, and what is recorded is what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from service.channels import Channel
from service.policy import loading
from service.verification.states import Begin
from service.verification.storage.store import Store
from tests.support.admission import over
from tests.support.dispatching import acted_on, ended, sends
from tests.support.gateway import PHONE, Gateway, run_gateway
from tests.support.waiting import until

SOON = '[limits]\nip = ["1000/1h"]\nphone = ["1000/1h"]\n[fallback]\nafter = "1s"\n'
WAITS = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"


async def lease(gateway: Gateway, verification: str) -> UUID:
    """Hold a verification as a process does that is about to begin a send."""
    token = uuid4()
    await gateway.database.pool.execute(
        "update verifications set lease_token = $2, lease_until = clock_timestamp() + interval '15 seconds', "
        "next_action_at = clock_timestamp() + interval '17 seconds' where id = $1",
        UUID(verification), token,
    )  # fmt: skip
    return token


@asynccontextmanager
async def hold(gateway: Gateway) -> AsyncIterator[tuple[Store, asyncpg.Connection[asyncpg.Record]]]:
    """Open a transaction of another process, in which statements of the store can stay uncommitted."""
    async with gateway.database.pool.acquire() as line:
        transaction = line.transaction()
        await transaction.start()
        yield Store(over(line), loading.parse("")), line
        await transaction.commit()


async def is_waiting(gateway: Gateway) -> bool:
    return bool(await gateway.database.pool.fetchval(WAITS))


def automatic(channel: Channel) -> Begin:
    return Begin(2, channel, "waited", datetime.now(UTC), new=True)


async def begin_sent(gateway: Gateway) -> str:
    """Request, and wait until the code is sent and the next channel may be used."""
    verification = await gateway.begin()
    await ended(gateway, verification)
    moment = datetime.fromisoformat((await gateway.read(verification)).body["created_at"]) + timedelta(seconds=1)
    await until(lambda: datetime.now(UTC) > moment + timedelta(seconds=0.05), "a fallback is not too early")
    return verification


async def test_a_fallback_while_the_automatic_channel_begins_is_taken_like_any(database_url: str) -> None:
    async with run_gateway(database_url, policy=SOON) as gateway:
        verification = await begin_sent(gateway)
        token = await lease(gateway, verification)
        async with hold(gateway) as (process, _):
            assert await process.begin(UUID(verification), token, automatic("call"))
            fallback = asyncio.create_task(gateway.use_fallback(verification))
            await until(lambda: is_waiting(gateway), "the fallback waits for the automatic channel")
        reply = await fallback
        assert (reply.status, reply.body["fallback"]["channel"]) == (202, "flashcall")
        assert [(s["channel"], s["cause"]) for s in await sends(gateway, verification)] == [
            ("sms", "request"),
            ("call", "waited"),
        ]


async def test_an_automatic_channel_gives_way_to_a_fallback_of_another_at_the_same_moment(database_url: str) -> None:
    """As where an sms went by call: the automatic channel is the one after, and the fallback is the call."""
    async with run_gateway(database_url, policy=SOON) as gateway:
        verification = await begin_sent(gateway)
        token = await lease(gateway, verification)
        caller = await gateway.database.pool.fetchrow("select id, client_id from api_keys")
        assert caller is not None
        async with hold(gateway) as (process, _):
            policy = loading.parse(SOON).default
            row = UUID(verification)
            assert (await process.use_fallback(caller["id"], caller["client_id"], row, policy)).outcome == "used"
            store = Store(gateway.database, loading.parse(""))
            begin = asyncio.create_task(store.begin(row, token, automatic("flashcall")))
            await until(lambda: is_waiting(gateway), "the automatic channel waits for the fallback")
        assert not await begin
        await store.rest(row, token, datetime.now(UTC))
        found = await ended(gateway, verification, 2)
        assert [(send["channel"], send["state"]) for send in found] == [("sms", "sent"), ("call", "sent")]
        assert [call.channel for call in acted_on(gateway, PHONE)] == ["sms", "call"]
