"""Run one piece of work on the database that the settings name, and end.

Used by cli.policies.backtesting and cli.database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.db.engine import Database, open_database
from service.db.schema import migrate
from service.settings import DatabaseSettings, load

S = TypeVar("S", bound=DatabaseSettings)
T = TypeVar("T")


def run(kind: type[S], work: Callable[[Database, S], Awaitable[T]], *, writes: bool = True) -> T:
    """Open the database, check its schema, and run work on it. Raises GatewayError.

    Without `writes` a standby will do.
    """
    settings = load(kind)

    async def ask() -> T:
        database = await open_database(settings.database_url, pooler=settings.database_pooler, writes=writes)
        try:
            await migrate.check(database)
            return await work(database, settings)
        finally:
            await database.aclose()

    return asyncio.run(ask())
