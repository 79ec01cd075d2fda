"""Connections to PostgreSQL: a pool of driver connections for frequent statements, SQLAlchemy for all others.

Opened once per process by app, cli and the tests; migrations use only the engine. Knows no table, and keeps no state in
a session: behind PgBouncer the next statement may run in another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from service.db import embedded, faults
from service.db.connecting import ISOLATION
from service.db.hosts import Hosts
from service.db.pool import Pool
from service.settings import POOL_SIZE

Pooler = Literal["none", "transaction"]
EMBEDDED = "embedded:"
DESK_SIZE = 2  # connections for operators' calls, for each process
HOT_LIMIT = 2.0  # seconds: the server's limit for a frequent statement
COLD_LIMIT = 30.0  # and for any other
MARGIN = 0.5  # seconds that we wait longer than the server: its answer is better than a guess
LINE_LIMIT = 2.5  # seconds that a frequent statement waits for a connection
CLOSE_LIMIT = 5.0  # seconds that statements under way have left when we close

TICK = 0.25  # seconds between two looks at the statements under way
STILL = 0.5  # seconds after which a slow statement makes us check whether another host is the primary
LOOKS_APART = 1.0  # seconds between two such looks
LOOK_EVERY = 5.0  # and between two without a cause: an old primary may go on answering


@dataclass(frozen=True, slots=True)
class Database:
    """One database's connections: `pool` for what callers wait for, `operator_pool`, and `engine` for the rest."""

    pool: Pool
    engine: AsyncEngine
    _release: Callable[[], None] | None
    _hosts: Hosts | None = None
    _watch: asyncio.Task[None] | None = None
    _operator_pool: Pool | None = None

    @property
    def operator_pool(self) -> Pool:
        """Operators' own connections: however long their statements take, nobody else waits for a connection."""
        return self._operator_pool or self.pool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction, committed at the end. Raises Unavailable if the database does not answer."""
        try:
            async with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if error.statement is None:  # it failed before any statement was sent
                raise faults.unreachable(error.orig or error) from error
            # SQLAlchemy wraps the driver's error twice.
            cause = error.orig.__cause__ if error.orig else None
            fault = faults.classify(cause) if isinstance(cause, Exception) else None
            if fault is None or fault.error is cause:
                raise
            raise fault.error from error
        except faults.UNCONNECTED as error:
            raise faults.unreachable(error) from error

    async def aclose(self) -> None:
        """Close every connection and release our share in an embedded server; each even if another fails."""
        async with AsyncExitStack() as others:
            if self._release:
                others.callback(self._release)
            if self._hosts:
                others.push_async_callback(self._hosts.aclose)
            others.push_async_callback(self.engine.dispose)
            if self._watch:
                self._watch.cancel()
            await asyncio.gather(*(_close(lines) for lines in {self.pool, self.operator_pool}))


async def open_database(
    url: str,
    *,
    pooler: Pooler = "none",
    pool_size: int = POOL_SIZE,
    writes: bool = True,
    look_every: float = LOOK_EVERY,
) -> Database:
    """Open the database at `url`, a SQLAlchemy URL for asyncpg or embedded:PATH.

    Connects with the first statement and again after every loss, so that a server that is away does not keep
    us from starting. `pooler`: what is between us and the server; without `writes` a standby will do.
    Raises EmbeddedServerError.
    """
    address, release = await asyncio.to_thread(resolve, url)
    with ExitStack() as undone:
        if release:
            undone.callback(release)
        hosts = Hosts(address, writes=writes)
        options = _choose_options(pooler, HOT_LIMIT)
        pool, operator_pool = (
            Pool(lambda: hosts.connect(read_committed=True, **options), size, LINE_LIMIT, hosts.doubt)
            for size in (pool_size, DESK_SIZE)
        )
        engine = make_engine(address, hosts, pooled=pooler == "none", **_choose_options(pooler, COLD_LIMIT))
        watch = asyncio.create_task(_watch(pool, hosts, look_every)) if hosts.several else None
        undone.pop_all()
    return Database(pool, engine, release, hosts, watch, operator_pool)


def make_engine(url: str, hosts: Hosts, *, pooled: bool, **options: Any) -> AsyncEngine:
    """Make the engine for everything but frequent statements. `options` are the driver's.

    Without a pool of its own, statements get names that a pooler cannot confuse with another session's.
    """
    # What lay idle may be dead: without the ping, the first statement after a restart of the server would fail.
    pool: dict[str, Any] = {"pool_pre_ping": True}
    if not pooled:
        pool = {"poolclass": NullPool}
        options |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: f"verify_{uuid4().hex}"}
    options["async_creator_fn"] = hosts.connect
    return create_async_engine(url, isolation_level=ISOLATION.upper(), connect_args=options, **pool)


def resolve(url: str) -> tuple[str, Callable[[], None] | None]:
    """Return the URL to connect to, and what to call when done with it.

    For embedded:PATH this starts the server in PATH, or joins it; any other URL is returned unchanged. Blocks.
    Raises EmbeddedServerError.
    """
    if not url.startswith(EMBEDDED):
        return url, None
    server = embedded.start(Path(url.removeprefix(EMBEDDED)))
    return server.url(), server.release


def _choose_options(pooler: Pooler, limit: float) -> dict[str, Any]:
    options: dict[str, Any] = {"command_timeout": limit + MARGIN}
    # A prepared statement belongs to a session, and the next transaction may run in another. What else we would set, a
    # pooler refuses, or leaves behind for whoever has the session next.
    if pooler == "transaction":
        return options | {"statement_cache_size": 0}
    settings = {
        "application_name": "verify-gateway",
        "default_transaction_isolation": ISOLATION,
        "statement_timeout": f"{limit:.0f}s",
    }
    return options | {"server_settings": settings}


async def _close(lines: Pool) -> None:
    try:
        await asyncio.wait_for(lines.close(), CLOSE_LIMIT)
    except TimeoutError:
        lines.terminate()


async def _watch(pool: Pool, hosts: Hosts, look_every: float) -> None:
    """Look for another primary when a statement is slow, and now and then without a cause."""
    loop = asyncio.get_running_loop()
    looked = loop.time()
    while True:
        await asyncio.sleep(TICK)
        if loop.time() - looked > (LOOKS_APART if pool.longest_wait() > STILL else look_every):
            looked = loop.time()
            await hosts.look()
