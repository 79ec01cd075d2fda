"""The schema: made by migrations alone, the same as the declared tables, safe to change under load."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

from service.db.engine import open_database
from service.db.schema import migrate
from service.errors import SchemaOutdated, Unavailable
from tests.conftest import at
from tests.support.clusters import CHECKOUT, query
from tests.support.waiting import PATIENCE


@asynccontextmanager
async def hold(url: str, statement: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Keep a transaction open that has run the statement."""
    _, places = make_url(url).get_dialect()().create_connect_args(make_url(url))
    connection = await asyncpg.connect(**places)
    async with connection.transaction():
        await connection.execute(statement)
        yield connection
    await connection.close()


async def upgrade(url: str) -> None:
    await asyncio.to_thread(migrate.upgrade, url)


async def test_the_migrations_make_exactly_the_declared_tables(database_url: str) -> None:
    await asyncio.to_thread(command.check, migrate.configure(database_url))


def test_there_is_one_newest_version() -> None:
    assert len(ScriptDirectory.from_config(migrate.configure()).get_heads()) == 1


async def test_two_migrations_at_once_are_one_also_where_transactions_are_serializable(empty_database_url: str) -> None:
    name = make_url(empty_database_url).database
    await query(empty_database_url, f"alter database {name} set default_transaction_isolation = serializable")
    code = f"from service.db.schema.migrate import upgrade; upgrade({empty_database_url!r})"
    both = [await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=CHECKOUT) for _ in range(2)]
    assert [await one.wait() for one in both] == [0, 0]
    assert await query(empty_database_url, "select count(*) from alembic_version") == 1


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = await query(database_url, "select max(oid) from pg_class")
    await upgrade(database_url)
    assert await query(database_url, "select max(oid) from pg_class") == before


async def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    await query(empty_database_url, "create table clients (in_the_way int)")
    with pytest.raises(Exception, match="already exists"):
        await upgrade(empty_database_url)
    assert (
        await query(empty_database_url, "select count(*) from pg_class where relnamespace = 'public'::regnamespace")
        == 1
    )


async def test_every_migration_can_be_reverted(database_url: str) -> None:
    await asyncio.to_thread(command.downgrade, migrate.configure(database_url), "base")
    left = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relname !~ '^alembic'"
    assert await query(database_url, left) == 0
    await upgrade(database_url)


async def test_a_downgrade_leaves_no_key_that_the_release_before_would_take_for_a_products(database_url: str) -> None:
    await query(database_url, "insert into clients (name) values ('watch')")
    await query(
        database_url,
        "insert into api_keys (client_id, digest, hint, scope) "
        "select id, made::bytea, '', made from clients, unnest('{verify,metrics}'::text[]) as made",
    )
    await asyncio.to_thread(command.downgrade, migrate.configure(database_url), "0003")
    assert await query(database_url, "select string_agg(scope, ' ') from api_keys") == "verify"
    await upgrade(database_url)


async def test_an_empty_database_is_outdated_and_the_error_says_what_to_do(empty_database_url: str) -> None:
    database = await open_database(empty_database_url)
    with pytest.raises(SchemaOutdated, match="run verify-gateway migrate"):
        await migrate.check(database)
    await upgrade(empty_database_url)
    await migrate.check(database)
    await database.aclose()


async def test_a_newer_schema_is_accepted(database_url: str) -> None:
    """While a new version is rolled out, processes of the old one start on its schema."""
    await query(database_url, "update alembic_version set version_num = 'from_the_future'")
    database = await open_database(database_url)
    await migrate.check(database)
    await database.aclose()


async def test_a_migration_gives_way_to_a_long_transaction_and_says_so(empty_database_url: str) -> None:
    await upgrade(empty_database_url)
    await asyncio.to_thread(command.downgrade, migrate.configure(empty_database_url), "base")
    async with hold(empty_database_url, "lock table alembic_version"):
        with pytest.raises(migrate.SchemaBusy, match="run verify-gateway migrate again"):
            await upgrade(empty_database_url)
    await upgrade(empty_database_url)


async def test_a_migration_gives_way_in_a_deadlock_and_says_so(database_url: str) -> None:
    """It takes one table after the other, and so does whoever is at work meanwhile."""
    await asyncio.to_thread(command.downgrade, migrate.configure(database_url), "0002")
    waits = "select exists (select from pg_locks where relation = 'verifications'::regclass and not granted)"
    async with hold(database_url, "select from verifications") as other:
        migration = asyncio.create_task(upgrade(database_url))
        async with asyncio.timeout(PATIENCE):
            while not await other.fetchval(waits):
                await asyncio.sleep(0.02)
        await other.execute("select from sends")
        with pytest.raises(migrate.SchemaBusy, match="run verify-gateway migrate again"):
            await migration
    await upgrade(database_url)


async def test_an_unreachable_database_is_reported_in_a_sentence(tmp_path: Path) -> None:
    nowhere = f"postgresql+asyncpg://app@/verify?host={tmp_path}"
    with pytest.raises(Unavailable, match="cannot be reached"):
        await upgrade(nowhere)
    database = await open_database(nowhere)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await migrate.check(database)
    await database.aclose()


async def test_a_missing_database_is_reported_in_a_sentence(postgres: str) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        await upgrade(at(postgres, "verify_test_no_such_database"))
