"""Runs migrations for alembic: one at a time, all or nothing, and never for long in anybody's way.

Executed by alembic; service.db.schema.migrate hands over the address of the database, a developer's DATABASE_URL
takes its place. Holds no migration itself.
"""

from __future__ import annotations

import asyncio
import os

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text

from service.db.engine import make_engine, resolve
from service.db.hosts import Hosts
from service.db.schema import console_tables, fraud_tables, tables
from service.db.schema.columns import metadata

DECLARED = (tables, fraud_tables, console_tables)  # their import puts the tables into the metadata
TURN = 7_220_563_741  # any number, as long as nothing else in this database takes an advisory lock on it


def run(connection: Connection) -> None:
    """Run every pending migration in one transaction.

    A second `migrate` waits for the first and finds nothing to do. The lock belongs to the transaction, so
    that it works behind a pooler. A migration that meets a long transaction gives up after five seconds:
    while it waits for a table, every statement on that table waits behind it.
    """
    with connection.begin():
        connection.execute(text("select pg_advisory_xact_lock(:turn)"), {"turn": TURN})
        connection.execute(text("set local lock_timeout = '5s'"))
        # The role's own limit is that of the hot statements, where a pooler keeps the gateway from setting it.
        connection.execute(text("set local statement_timeout = 0"))
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            compare_server_default=True,
        )
        context.run_migrations()


async def connect_and_run(url: str) -> None:
    """Run on a connection of our own, without a time limit, and fit for a pooler."""
    engine = make_engine(url, Hosts(url), pooled=False, statement_cache_size=0)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


def main() -> None:
    """Find the database and migrate it."""
    if context.is_offline_mode():
        raise CommandError("--sql is not supported: migrations read SQL files and ask the database.")
    named = context.config.attributes.get("url") or os.environ.get("DATABASE_URL")
    if not named:
        raise CommandError("DATABASE_URL is not set.")
    url, release = resolve(named)
    try:
        asyncio.run(connect_and_run(url))
    finally:
        if release:
            release()


main()
