"""More connections than there may be: those that wait for their peer make room, and whoever asks is answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from service.app import create_app
from service.cli.process.descriptors import MOST_CONNECTIONS, most_connections
from service.settings import MAX_SENDS, POOL_SIZE, Settings, load
from tests.support.gateway import Calls, Gateway, run_gateway, run_process
from tests.support.serving import serve_app
from tests.support.waiting import PATIENCE, until
from tests.support.wire import assert_problem, speak, write_request

MOST = 6
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEALTH = write_request("GET", "/healthz")


@asynccontextmanager
async def connect(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """Hold connections on which nothing is sent."""
    place = urlsplit(url)
    held = [await asyncio.open_connection(place.hostname, place.port) for _ in range(count)]
    yield held
    for _, writer in held:
        writer.transport.abort()


@asynccontextmanager
async def serve_few(database_url: str) -> AsyncIterator[tuple[Gateway, Calls]]:
    """Serve a gateway that takes MOST connections, to callers with one each."""
    async with run_gateway(database_url, serve=False) as gateway:
        settings = load(Settings, **{name.lower(): value for name, value in gateway.environment.items()})
        async with serve_app(create_app(settings), limit_concurrency=MOST) as url:
            yield gateway, Calls(url, gateway.key, gateway.session)


async def is_closed(connection: Connection) -> bool:
    """Say whether the other side has closed a connection, of which nothing more is to be read."""
    try:
        async with asyncio.timeout(0.5):
            return await connection[0].read() == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def test_while_silent_connections_stand_whoever_asks_is_answered(database_url: str) -> None:
    """Of the hard limit on open files, not of the soft one, half is for callers: more than they may have here."""
    async with (
        run_gateway(database_url, serve=False, MAX_CONNECTIONS="80") as gateway,
        run_process(gateway, before="ulimit -Sn 90 && ulimit -Hn 200") as process,
        connect(process.calls.url, 400),
    ):
        begun = time.monotonic()
        for _ in range(3):
            assert (await speak(process.calls.url, HEALTH)).status == 200
        assert time.monotonic() - begun < 5
        log = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert [line["most"] for line in log if line["event"] == "connections_full"] == [80]


async def test_a_connection_is_kept_as_long_as_the_settings_say(database_url: str) -> None:
    async with (
        run_gateway(database_url, serve=False, KEEP_ALIVE="1") as gateway,
        run_process(gateway) as process,
        connect(process.calls.url, 1) as held,
    ):
        for _ in range(2):
            assert await ask(held) == [200]
        assert await asyncio.wait_for(held[0][0].read(), PATIENCE) == b""


async def test_the_one_that_has_waited_longest_makes_room(database_url: str) -> None:
    async with serve_few(database_url) as (_, calls), connect(calls.url, MOST) as held:
        # One is silent; the others are used, the first of them last.
        silent, *used = held
        for one in (*used[1:], used[0]):
            assert await ask([one]) == [200]
        async with connect(calls.url, 3) as new:
            assert await ask(new) == [200] * 3
            assert [await is_closed(one) for one in (silent, used[1], used[2], used[0])] == [True, True, True, False]


async def test_what_is_being_answered_makes_room_for_nobody(database_url: str) -> None:
    async with serve_few(database_url) as (gateway, calls), connect(calls.url, MOST) as held:
        # The first time finds the connections to the database: what waits for the lock, the second time, does so for
        # two seconds at most.
        assert await ask(held) == [200] * MOST
        async with gateway.database.engine.begin() as holding:
            await holding.execute(text("lock table alembic_version"))
            asking = asyncio.create_task(ask(held))
            await until(lambda: _are_waiting(gateway, MOST), "all are being answered")
            refused = await speak(calls.url, b"")
        assert_problem(refused, 503, "unavailable")
        assert refused.header("retry-after") == "1"
        assert await asking == [200] * MOST
        assert (await speak(calls.url, HEALTH)).status == 200


async def ask(held: list[Connection]) -> list[int]:
    """Ask for readiness on all connections at once, and return the statuses."""
    for _, writer in held:
        writer.write(write_request("GET", "/readyz"))
    async with asyncio.timeout(PATIENCE):
        answers = [await reader.readuntil(b"}") for reader, _ in held]
    return [int(answer.split()[1]) for answer in answers]


async def _are_waiting(gateway: Gateway, count: int) -> bool:
    waiting = "select count(*) from pg_locks where not granted and relation = 'alembic_version'::regclass"
    return bool(await gateway.database.pool.fetchval(waiting) == count)


@pytest.mark.parametrize(
    ("wanted", "limit", "most"),
    [
        (None, 1_024, 512),
        (None, 4_000, 4_000 - 2_000),
        (None, 1_048_576, MOST_CONNECTIONS),
        (50_000, 1_048_576, 50_000),
        (50_000, 20_000, 20_000 - 2_200),
        (100, 20_000, 100),
    ],
)
def test_callers_leave_open_files_for_everything_else(wanted: int | None, limit: int, most: int) -> None:
    assert most_connections(wanted, limit) == most


def test_more_sends_and_more_statements_at_once_need_more_open_files() -> None:
    most = most_connections(None, 8_192)
    assert most - most_connections(None, 8_192, sends=MAX_SENDS + 100, pool=POOL_SIZE + 20) == 4 * 100 + 20
    assert most_connections(None, 8_192, sends=0, pool=1) > most
