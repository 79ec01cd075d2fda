"""Callers who are told 503 and try again, without an Idempotency-Key: what each was told, and what came of it.

Used by the tests of unclear ends.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from service.db.engine import Database
from tests.support.dispatching import calls_to, ended
from tests.support.gateway import ADDRESS, Gateway, Reply
from tests.support.waiting import PATIENCE, until

ROWS = "select id from verifications"
COUNTED = "select coalesce(sum(cardinality(hits)), 0) from counters"
LEFT = "select count(*) from sends where verification_id not in (select id from verifications)"


class Caller:
    """Requests a number until it is answered 202. `replies`: what came; `slowest`: the longest that an answer took."""

    def __init__(self, gateway: Gateway, phone: str, address: str = ADDRESS) -> None:
        self.gateway = gateway
        self.phone = phone
        self.address = address
        self.replies: list[Reply] = []
        self.slowest = 0.0

    async def ask(self) -> Reply:
        begun = time.monotonic()
        reply = await self.gateway.request(self.phone, ip_address=self.address)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.replies.append(reply)
        return reply

    async def insist(self) -> str:
        """Ask until it is taken, and return the verification."""
        end = time.monotonic() + PATIENCE
        while (reply := await self.ask()).status != 202:
            assert reply.status == 503, reply
            assert time.monotonic() < end
            await asyncio.sleep(0.2)
        return str(reply.body["id"])


async def expect_one_send_each(gateway: Gateway, callers: list[Caller], looking: Database) -> None:
    """See that each was sent to once, that nothing stands of what was told 503, and that it counted nowhere."""
    taken = {str(reply.body["id"]) for caller in callers for reply in caller.replies if reply.status == 202}

    async def settled() -> bool:
        return {str(row["id"]) for row in await looking.pool.fetch(ROWS)} == taken

    await until(settled, "the rows are those that were answered 202")
    for caller in callers:
        for reply in caller.replies:
            if reply.status == 202:
                await ended(gateway, str(reply.body["id"]))
    asked = Counter(caller.phone for caller in callers for reply in caller.replies if reply.status == 202)
    assert {phone: len(calls_to(gateway, phone)) for phone in asked} == dict(asked)
    assert await looking.pool.fetchval(COUNTED) == 2 * len(taken), "a number and an address were counted for each"
    assert await looking.pool.fetchval(LEFT) == 0
