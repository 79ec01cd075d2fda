"""Two hosts: whichever of them vanishes, and however, the gateway goes on with the other and loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from service.db.engine import Database, open_database
from tests.support.commands import run_inside
from tests.support.gateway import INDEX_KEY, SECRET_KEY, run_gateway
from tests.support.load import run_load
from tests.support.replication import run_pair
from tests.support.waiting import until

# Seconds: three are promised, of a machine that does nothing else.
PROMISED = 6.0


@pytest.mark.parametrize("end", ["kill", "freeze"])
async def test_the_first_202_comes_soon_after_the_promotion_and_none_is_lost(end: str) -> None:
    async with run_pair(synchronous=True) as pair, run_gateway(pair.url) as gateway:
        async with run_load(gateway) as load:
            await until(lambda: len(load.taken()) > 20, "requests are taken")
            getattr(pair.first, end)()
            await asyncio.sleep(1.0)
            await pair.second.promote()
            promoted = asyncio.get_running_loop().time()
            await until(lambda: bool(load.taken(promoted)), "requests are taken again")
            assert load.taken(promoted)[0].at - promoted < PROMISED
            if end == "freeze":
                pair.first.thaw()
            more = len(load.taken()) + 20
            await until(lambda: len(load.taken()) > more, "requests are still taken")
        assert {answer.status for answer in load.answers} <= {202, 503}
        rows = [answer.row for answer in load.taken()]
        kept = await pair.second.query("select count(*) from verifications where id = any($1)", rows)
        assert kept == len(rows)


async def test_every_command_finds_the_primary_behind_a_host_that_stands_still(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.touch()
    async with run_pair() as pair:
        backtest = await run_inside("policy", "backtest", str(policy), settings={"DATABASE_URL": pair.second.url()})
        assert backtest.code == 0, backtest  # what only reads is content with a standby
        pair.first.freeze()
        await pair.second.promote()
        settings = {"DATABASE_URL": pair.url, "SECRET_KEY": SECRET_KEY, "INDEX_KEY": INDEX_KEY}
        for words in (["migrate"], ["keys", "create", "shop"], ["keys", "list"], ["purge"]):
            done = await run_inside(*words, settings=settings)
            assert done.code == 0, done


async def where(database: Database) -> object:
    """Answer the port that the hot way leads to, or what there is instead."""
    try:
        return await database.pool.fetchval("select inet_server_port()")
    except Exception as error:  # noqa: BLE001 (a line may be ended in the middle; what is said then is another test's)
        return str(error)


async def find_ports(url: str) -> list[object]:
    """Open the database anew; answer the ports that both ways lead to."""
    database = await open_database(url)
    try:
        async with database.engine.connect() as connection:
            return [await where(database), await connection.scalar(text("select inet_server_port()"))]
    finally:
        await database.aclose()


async def test_of_two_that_take_writes_the_one_promoted_last_is_the_primary() -> None:
    async with run_pair() as pair:
        database = await open_database(pair.url, look_every=0.2)
        assert await where(database) == pair.first.port
        await pair.second.promote()

        async def has_moved() -> bool:
            return await where(database) == pair.second.port

        async def is_refused() -> bool:
            return f"{pair.first.port}: another host was promoted after it" in str(await where(database))

        await until(has_moved, "the newer one is noticed while the old one still answers")
        assert await find_ports(pair.url) == [pair.second.port] * 2
        pair.second.kill()
        await until(is_refused, "the older one is not taken again")
        await database.aclose()
