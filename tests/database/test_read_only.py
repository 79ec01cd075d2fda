"""A database that takes no writes is asked seldom, and used again as soon as it takes them."""

from __future__ import annotations

import asyncio

from sqlalchemy.engine import make_url

from tests.conftest import command
from tests.support.clusters import query
from tests.support.gateway import run_gateway
from tests.support.load import run_load
from tests.support.tcp_proxy import lay_cable
from tests.support.waiting import until

SECONDS = 4
READ_ONLY = "alter database {} set default_transaction_read_only = {}"
END_OTHERS = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


async def test_a_database_that_takes_no_writes_is_asked_about_once_a_second(postgres: str, database_url: str) -> None:
    name = make_url(database_url).database
    async with (
        lay_cable(database_url) as (cable, url),
        run_gateway(url) as gateway,
        run_load(gateway) as load,
    ):
        await until(lambda: bool(load.taken()), "requests are taken")
        await command(postgres, READ_ONLY.format(name, "on"))
        await query(database_url, END_OTHERS)
        refused = len(load.answers) + 20
        await until(lambda: len(load.answers) > refused, "requests are refused")
        since, before = asyncio.get_running_loop().time(), cable.accepted
        await asyncio.sleep(SECONDS)
        # 0.8 s is the least that lies between two, and two may lie between this moment and the one before.
        assert cable.accepted - before <= SECONDS / 0.8 + 1
        assert not load.taken(since)
        await command(postgres, READ_ONLY.format(name, "off"))
        await until(lambda: bool(load.taken(since)), "requests are taken again")
    assert {answer.status for answer in load.answers} == {202, 503}
