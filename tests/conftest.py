"""Fixtures that every test may ask for; the rest are in tests/support.

The database's part: one server for the run, one migrated template on it, a clone of that for each test.

TEST_DATABASE_URL runs the suite on a server of your own instead of the embedded one, for example Debian's
PostgreSQL 15: postgresql+asyncpg://user@/postgres?host=/var/run/postgresql. The role must be allowed to
create databases; the suite touches none but those it creates, all named verify_test_*. For speed, start that
server with fsync=off, synchronous_commit=off, full_page_writes=off and max_connections=200.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
import structlog
from sqlalchemy.engine import make_url

from service import telemetry
from service.db import embedded
from service.db.engine import Database, open_database
from service.db.schema import migrate
from tests.support.clusters import make_home

if TYPE_CHECKING:
    from playwright.async_api import Browser

# A crash of the machine may cost a test run its database; durable commits would cost every run half its time.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "synchronous_commit": "off",
}

# structlog's own default paints every traceback with all local values (a second of CPU for each), and prints to what
# standard output is at that moment, which may be what a command in the same process is being asked for.
structlog.configure(
    processors=[structlog.processors.add_log_level, telemetry._name_exception, structlog.processors.JSONRenderer()],
    logger_factory=structlog.PrintLoggerFactory(sys.__stderr__),
)


# Begun last, one of these would keep one worker busy while the others have nothing left to do.
LONGEST = {
    "test_chaos",
    "test_docs_site",
    "test_in_a_browser",
    "test_model",
    "test_python",
    "test_run_page",
    "test_schemathesis",
    "test_typescript",
    "test_wheel",
}

# What collecting makes stays: to look through it again and again takes each worker seconds.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what takes longest begin first; every worker must come to the same order."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


def pytest_collection_finish() -> None:
    """Look from here on through what the tests make, and through nothing that was there before them."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Answer the URL of a server's maintenance database."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with make_home() as home:
        server = embedded.start(home, settings=FAST)
        yield server.url("postgres")
        server.release()


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """Answer the name of a migrated database, which is cloned and never connected to."""
    name = f"verify_test_{uuid4().hex}"
    asyncio.run(command(postgres, f"create database {name}"))
    migrate.upgrade(at(postgres, name))
    yield name
    asyncio.run(command(postgres, f"drop database {name} with (force)"))


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """Answer the URL of a migrated database of this test's own."""
    async with clone(postgres, template) as url:
        yield url


@pytest.fixture(scope="module")
async def shared_database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """Answer the URL of a migrated database that a module's tests share, each with numbers of its own."""
    async with clone(postgres, template) as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres: str) -> AsyncIterator[str]:
    """Answer the URL of a database without a schema."""
    name = f"verify_test_{uuid4().hex}"
    await command(postgres, f"create database {name}")
    yield at(postgres, name)
    await command(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Answer the test's own database, open."""
    opened = await open_database(database_url)
    yield opened
    await opened.aclose()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Answer a real browser; a test that asks for it is skipped where there is none."""
    from tests.support.browser import start_browser  # noqa: PLC0415 (half a second that few runs need)

    async with start_browser() as started:
        yield started


@asynccontextmanager
async def clone(postgres: str, template: str) -> AsyncIterator[str]:
    """Lend a migrated database, and answer its URL."""
    name = f"verify_test_{uuid4().hex}"
    await command(postgres, f"create database {name} template {template} strategy file_copy")
    yield at(postgres, name)
    await command(postgres, f"drop database {name} with (force)")


def at(url: str, name: str) -> str:
    """Answer the URL of another database on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def command(url: str, statement: str) -> None:
    """Run one statement that cannot run in a transaction."""
    _, places = make_url(url).get_dialect()().create_connect_args(make_url(url))
    connection = await asyncpg.connect(**places)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
