"""Connections to PostgreSQL: bare lines for the hot statements, SQLAlchemy for everything else.

Opened once per process by app, cli and the tests. Knows no table, and keeps no state in a session: behind
PgBouncer the next statement may run in another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from service.db import embedded
from service.db.lines import Lines

Pooler = Literal["none", "transaction"]
EMBEDDED = "embedded:"
CONNECT_LIMIT = 3.0  # seconds
HOT_LIMIT = 2.0  # seconds that the server gives a hot statement
COLD_LIMIT = 30.0  # and any other
MARGIN = 0.5  # seconds that we wait longer than the server: its own word is better than a guess
CLOSE_LIMIT = 5.0  # seconds that statements under way get when we close

# What a statement raises on the pool when its server or connection went away. Whether it took effect is unknown;
# the next one finds a new connection. InternalClientError is asyncpg's word for a farewell that it has read but
# not acted on yet.
LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,  # it has become a standby
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


@dataclass(frozen=True, slots=True)
class Database:
    """Both ways to one database."""

    pool: Lines
    engine: AsyncEngine
    _release: Callable[[], None] | None

    async def aclose(self) -> None:
        """Close every connection, and give back our share in an embedded server."""
        try:
            await asyncio.wait_for(self.pool.close(), CLOSE_LIMIT)
        except TimeoutError:
            self.pool.terminate()
        await self.engine.dispose()
        if self._release:
            self._release()


async def open_database(url: str, *, pooler: Pooler = "none", pool_size: int = 10) -> Database:
    """Open the database at `url`, a SQLAlchemy URL for asyncpg or embedded:PATH.

    Connects with the first statement and again after every loss, so that a server that is away does not keep
    us from starting. `pooler` says what stands between us and the server.
    Raises EmbeddedServerError.
    """
    address, release = await asyncio.to_thread(resolve, url)
    parsed = make_url(address)
    _, places = parsed.get_dialect()().create_connect_args(parsed)
    hot = {**places, **_choose_options(places, pooler, HOT_LIMIT)}
    pool = Lines(lambda: asyncpg.connect(**hot), pool_size, HOT_LIMIT + MARGIN, LOST)
    behind_pooler: dict[str, Any] = {"poolclass": NullPool} if pooler == "transaction" else {"pool_pre_ping": True}
    options = _choose_options(places, pooler, COLD_LIMIT)
    if pooler == "transaction":
        options |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: f"verify_{uuid4().hex}"}
    return Database(pool, create_async_engine(parsed, connect_args=options, **behind_pooler), release)


def resolve(url: str) -> tuple[str, Callable[[], None] | None]:
    """Answer the URL to connect to, and what to call when done with it.

    For embedded:PATH that starts the server in PATH, or joins it; any other URL is its own answer. Blocks.
    Raises EmbeddedServerError.
    """
    if not url.startswith(EMBEDDED):
        return url, None
    server = embedded.start(Path(url.removeprefix(EMBEDDED)))
    return server.url(), server.release


def _choose_options(places: MutableMapping[str, Any], pooler: Pooler, limit: float) -> dict[str, Any]:
    options: dict[str, Any] = {"timeout": CONNECT_LIMIT, "command_timeout": limit + MARGIN}
    if isinstance(places.get("host"), list):
        options["target_session_attrs"] = places.get("target_session_attrs", "read-write")
    if pooler == "transaction":
        return options | {"statement_cache_size": 0}
    settings = {"application_name": "verify-gateway", "statement_timeout": f"{limit:.0f}s"}
    return options | {"server_settings": settings}
