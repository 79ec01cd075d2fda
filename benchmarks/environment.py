"""What is measured, set up as in production: PostgreSQL with durable commits, Telnyx at 100 ms, `serve`.

Each in a process of its own, so that each one's CPU is its own. Whatever is started here is ended here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec

from benchmarks.checkouts import Checkout
from benchmarks.cpu import Clock, of_family
from benchmarks.figures import About, describe
from benchmarks.gateway import LOOK, PATIENCE, Gateway, wait_until_ready
from benchmarks.load import Load
from benchmarks.machine import Cores, pin
from benchmarks.processes import free_port, run
from benchmarks.stage import SEED
from service.db import embedded
from service.db.engine import Database, open_database
from service.sandbox.telnyx.service import SimulatedTelnyx, TelnyxSettings
from service.settings import MAX_SENDS
from tests.support.clusters import make_home
from tests.support.gateway import INDEX_KEY, SECRET_KEY, environment_of

LATENCY = 0.1  # seconds that Telnyx takes
SETTINGS = {"max_connections": "200", "max_wal_size": "8GB"}
KEPT = {"clients", "api_keys", "alembic_version"}


class Environment:
    """The database and the Telnyx of every measured gateway, one after the other. `key`: an API key of theirs."""

    def __init__(
        self, folder: Path, server: embedded.ServerShare, database: Database, key: str, checkout: Checkout
    ) -> None:
        self.folder = folder
        self.checkout = checkout
        self.cores = os.sched_getaffinity(0)
        self.server = server
        self.database = database
        self.key = key
        self._port = free_port()
        self.telnyx_url = ""

    async def describe(self) -> About:
        """Say what is measured, and on what."""
        ask = self.database.pool.fetchval
        return describe(self.checkout.name_commit(), await ask("show server_version"), await ask("show fsync"))

    async def clock_server(self) -> Clock:
        """Return a clock of the whole database server."""
        return of_family(await self.postmaster())

    async def postmaster(self) -> int:
        """Return the id of the server's first process."""
        data = await self.database.pool.fetchval("select current_setting('data_directory')")
        return int((Path(data) / "postmaster.pid").read_text().split()[0])

    async def pin(self, cores: Cores) -> None:
        """Have PostgreSQL, and the gateways that are served from now on, run on these cores."""
        self.cores = cores
        pin(await self.postmaster(), cores)

    @asynccontextmanager
    async def play_telnyx(self, drift: float = 0.0, *, webhooks: bool = False) -> AsyncIterator[None]:
        """Run Telnyx's stand-in while the context is open, for the gateways that are served then."""
        told = [f"http://127.0.0.1:{self._port}/webhooks/verify"] if webhooks else []
        async with run(["benchmarks.stage", str(LATENCY), str(drift), *told], {}, self.folder / "stage.log") as stage:
            port = int(await stage.stdout.readline()) if stage.stdout else 0
            self.telnyx_url = f"http://127.0.0.1:{port}"
            yield

    @asynccontextmanager
    async def serve(
        self, policy: str = "", *, slots: int = MAX_SENDS, sampled: bool = False, workers: int = 1, **more: str
    ) -> AsyncIterator[Gateway]:
        """Serve with the shipped policy and the overrides of `policy`. Histories only observe: no code is entered.

        `more`: settings by their names in the environment.
        """
        file, samples, log = (self.folder / name for name in ("policy.toml", "samples", "gateway.log"))
        file.write_text(await self.checkout.observe(policy))
        telnyx = SimulatedTelnyx(TelnyxSettings(signing_seed=SEED))
        environment = environment_of(self.server.url(), self.telnyx_url, file, telnyx, MAX_SENDS=str(slots), **more)
        words = ["benchmarks.served", str(samples)] if sampled else ["service", "serve"]
        words += ["--port", str(self._port), "--workers", str(workers)]
        load = Load(self._port)
        try:
            async with run(words, environment, log, self.checkout) as process:
                begun = time.monotonic()
                pin(process.pid, self.cores)
                gateway = Gateway(process, self._port, load, samples)
                await wait_until_ready(process, f"{gateway.url}/readyz")
                gateway.ready_after = time.monotonic() - begun
                yield gateway
        finally:
            load.close()

    async def wait_until_sent(self) -> None:
        """Wait until no send is on its way or due."""
        waiting = "select exists (select from sends where state in ('due', 'begun'))"
        async with asyncio.timeout(PATIENCE):
            while await self.database.pool.fetchval(waiting):
                await asyncio.sleep(LOOK)

    async def forget(self) -> None:
        """Empty the tables, but for the keys."""
        found = await self.database.pool.fetch("select tablename from pg_tables where schemaname = 'public'")
        names = ", ".join(sorted({row[0] for row in found} - KEPT))
        await self.database.pool.execute(f"truncate {names}")

    async def journal(self, operation: str) -> list[dict[str, Any]]:
        """Return and forget the calls of one kind that reached Telnyx."""
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{self.telnyx_url}/control/journal", params={"operation": operation}) as answer:
                calls: list[dict[str, Any]] = msgspec.json.decode(await answer.read())["calls"]
            await session.delete(f"{self.telnyx_url}/control/journal")
        return calls


@asynccontextmanager
async def open_gateway(checkout: Checkout | None = None) -> AsyncIterator[Environment]:
    """Start a new database of a checkout's, with a key in it, and end it."""
    checkout = checkout or Checkout()
    with make_home(on_disk=True) as home, TemporaryDirectory() as folder:
        server = await asyncio.to_thread(embedded.start, home, settings=SETTINGS)
        async with AsyncExitStack() as running:
            running.callback(server.release)
            url, key = await set_up(checkout, server)
            database = await open_database(url)
            running.push_async_callback(database.aclose)
            yield Environment(Path(folder), server, database, key, checkout)


async def set_up(checkout: Checkout, server: embedded.ServerShare, name: str = "verify") -> tuple[str, str]:
    """Make a database of a checkout's; return its URL, and an API key of its first client."""
    url = await asyncio.to_thread(server.url, name)
    settings = {"DATABASE_URL": url, "SECRET_KEY": SECRET_KEY, "INDEX_KEY": INDEX_KEY}
    await checkout.run(settings, "-m", "service", "migrate")
    return url, await checkout.run(settings, "-m", "service", "keys", "create", "shop")
