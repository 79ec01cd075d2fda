"""Two hosts: whichever of them vanishes, and however, the gateway goes on with the other and loses nothing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from uuid import UUID

import pytest
from sqlalchemy import text

from service.db import engine
from service.db.connecting import Unreachable
from service.db.engine import open_database
from tests.support.commands import run_inside
from tests.support.gateway import Calls, run_gateway
from tests.support.replication import Pair, run_pair
from tests.support.waiting import until

# Seconds: three are promised, of a machine that does nothing else.
PROMISED = 6.0
WHERE = "select inet_server_port()"
KEYS = {
    "SECRET_KEY": base64.b64encode(b"s" * 32).decode(),
    "INDEX_KEY": base64.b64encode(b"i" * 32).decode(),
}


class Load:
    """Requests without a pause, each for another number. `answers`: when each was answered, its status and its id."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.answers: list[tuple[float, int, UUID | None]] = []
        self.numbers = count()

    def taken_since(self, since: float = 0.0) -> list[tuple[float, UUID]]:
        return [(at, row) for at, status, row in self.answers if row is not None and at > since and status == 202]

    async def ask_on(self) -> None:
        while True:
            reply = await self.calls.request(f"+1312555{next(self.numbers):04}")
            row = UUID(reply.body["id"]) if reply.status == 202 else None
            self.answers.append((asyncio.get_running_loop().time(), reply.status, row))
            await asyncio.sleep(0.02)


@asynccontextmanager
async def run_load(calls: Calls) -> AsyncIterator[Load]:
    """Ask with eight callers at once while the context is open, and wait at its end until each has his answer."""
    load = Load(calls)
    callers = [asyncio.create_task(load.ask_on()) for _ in range(8)]
    try:
        yield load
    finally:
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


@pytest.mark.parametrize("end", ["kill", "freeze"])
async def test_the_first_202_comes_soon_after_the_promotion_and_none_is_lost(end: str) -> None:
    async with run_pair(synchronous=True) as pair, run_gateway(pair.url) as gateway:
        async with run_load(gateway) as load:
            await until(lambda: len(load.taken_since()) > 20, "requests are taken")
            getattr(pair.first, end)()
            await asyncio.sleep(1.0)
            await pair.second.promote()
            promoted = asyncio.get_running_loop().time()
            await until(lambda: bool(load.taken_since(promoted)), "requests are taken again")
            assert load.taken_since(promoted)[0][0] - promoted < PROMISED
            if end == "freeze":
                pair.first.thaw()
            more = len(load.taken_since()) + 20
            await until(lambda: len(load.taken_since()) > more, "requests are still taken")
        assert {status for _, status, _ in load.answers} <= {202, 503}
        rows = [row for _, row in load.taken_since()]
        kept = await pair.second.query("select count(*) from verifications where id = any($1)", rows)
        assert kept == len(rows)


async def test_every_command_finds_the_primary_behind_a_host_that_stands_still() -> None:
    async with run_pair() as pair:
        pair.first.freeze()
        await pair.second.promote()
        settings = KEYS | {"DATABASE_URL": pair.url}
        for words in (["migrate"], ["keys", "create", "shop"], ["keys", "list"], ["purge"]):
            done = await run_inside(*words, settings=settings)
            assert done.code == 0, done


async def ports(pair: Pair) -> list[object]:
    """Open the database anew; answer the ports that both ways lead to."""
    database = await open_database(pair.url)
    try:
        async with database.engine.connect() as connection:
            return [await database.pool.fetchval(WHERE), await connection.scalar(text(WHERE))]
    finally:
        await database.aclose()


async def test_of_two_that_take_writes_the_one_promoted_last_is_the_primary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LOOK_EVERY", 0.2)
    async with run_pair() as pair:
        database = await open_database(pair.url)
        assert await database.pool.fetchval(WHERE) == pair.first.port
        await pair.second.promote()

        async def has_moved() -> bool:
            return bool(await database.pool.fetchval(WHERE) == pair.second.port)

        await until(has_moved, "the newer one is noticed while the old one still answers")
        assert await ports(pair) == [pair.second.port] * 2
        pair.second.kill()
        await until(lambda: refuses(database), "the older one is not taken again")
        await database.aclose()


async def refuses(database: engine.Database) -> bool:
    try:
        await database.pool.fetchval(WHERE)
    except Unreachable as error:
        return "another host was promoted after it" in str(error)
    except engine.LOST:
        return False
    raise AssertionError
