"""Upgrades and checks the database's schema.

Called by `verify-gateway migrate`, by serve and dispatch before they start, and by the tests. Holds no migration:
those are Alembic's, in migrations/, which a wheel carries inside this package.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

import service
from service.db import faults
from service.db.engine import Database
from service.errors import GatewayError, SchemaOutdated

PACKAGE = Path(service.__file__).parent
# A lock that we did not get in time, and a deadlock in which we gave way.
GAVE_WAY = frozenset({"55P03", "40P01"})


class SchemaBusy(GatewayError):
    """A migration gave way to a transaction that holds a table it needs."""


def configure(url: str | None = None) -> Config:
    """Return Alembic's configuration, from the wheel or from the checkout."""
    carried = PACKAGE / "_migrations"
    config = Config((carried if carried.exists() else PACKAGE.parent) / "alembic.ini")
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Upgrade the schema of the database at `url` (embedded:PATH too) to the newest version.

    Blocks, and cannot be called from a running event loop. All or nothing; safe if two processes do it at once.
    Raises SchemaBusy or Unavailable.
    """
    try:
        command.upgrade(configure(url), "head")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in GAVE_WAY:
            raise SchemaBusy(
                "Another transaction holds what has to be changed. Nothing was changed: "
                "run verify-gateway migrate again when it has ended."
            ) from error
        if error.statement is None:  # it failed before any statement was sent
            raise faults.unreachable(error.orig or error) from error
        raise
    except OSError as error:
        raise faults.unreachable(error) from error


async def check(database: Database) -> str:
    """Return the revision of the schema. Raises SchemaOutdated if it is older than this version needs.

    Processes of the previous version see a newer one while a new version is rolled out.
    """
    applied = await _read_revisions(database)
    if _is_old(applied):
        raise SchemaOutdated(
            "The database's schema is older than this version needs: run verify-gateway migrate, then start again."
        )
    return ", ".join(sorted(applied))


async def _read_revisions(database: Database) -> set[str]:
    try:
        rows = await database.pool.fetch("select version_num from alembic_version")
    # An empty database is outdated, not broken: the error then says to run migrate.
    except asyncpg.UndefinedTableError:
        return set()
    return {row["version_num"] for row in rows}


def _is_old(applied: set[str]) -> bool:
    # A revision that we do not know is a newer version's, which keeps the old processes working during a rollout.
    known, heads = _list_revisions()
    return applied <= known and not applied >= heads


@cache
def _list_revisions() -> tuple[frozenset[str], frozenset[str]]:
    """Return this version's revisions and the newest of them; cached, because /readyz asks often."""
    scripts = ScriptDirectory.from_config(configure())
    return frozenset(script.revision for script in scripts.walk_revisions()), frozenset(scripts.get_heads())
