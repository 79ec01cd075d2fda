"""Two PostgreSQL servers on loopback, a primary and its streaming standby, and every way in which one goes away.

Used by the tests of failover and by chaos runs. Signals only processes that it started itself; nothing is left behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from service.db.embedded import supervisor
from service.db.embedded.installation import Installation, find_account, find_installation
from service.db.schema import migrate
from tests.support.clusters import query
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

# What a crash of the whole machine may lose here costs every run half its time; a killed process loses nothing.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "log_error_verbosity": "terse",
    "shared_buffers": "32MB",
    "wal_keep_size": "256MB",
}

ORPHAN = "pre-existing shared memory block"


class Server:
    """One PostgreSQL server on a port of its own; its data directory outlives its stops."""

    def __init__(self, installation: Installation, place: Path, port: int, settings: Mapping[str, str]) -> None:
        self.installation = installation
        self.data = place / f"data-{port}"
        self.log = place / f"log-{port}"
        self.port = port
        self.settings = {**SETTINGS, "unix_socket_directories": str(place), **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "verify") -> str:
        """Answer the address of a database on this server alone."""
        return f"postgresql+asyncpg://app@127.0.0.1:{self.port}/{database}?ssl=disable"

    async def start(self) -> None:
        """Start the server and wait until it takes connections."""
        self._launch()
        await until(self._answers, "the server takes connections")

    def _launch(self) -> None:
        account = self.installation.account
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.installation.programs / "postgres", "-D", self.data, "-p", str(self.port), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env={"LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=supervisor._bind_to_parent(),  # noqa: PLW1509 (a killed test run leaves no server behind)
                **(account.identity if account else {}),
            )  # fmt: skip

    def freeze(self) -> None:
        """Have it stand still, as a lost machine does: the kernel takes connections, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a server that stands still go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Have every process of it die at once: a crash."""
        self._signal(signal.SIGKILL)
        self._await_end()

    def stop(self) -> None:
        """Stop without a checkpoint (an immediate shutdown); a server that stands still is killed."""
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.send_signal(signal.SIGQUIT)
            self._await_end()

    async def promote(self) -> float:
        """Make a standby the primary; return the monotonic time at which it took its first write."""
        _run(self, "pg_ctl", "promote", "-W", "-D", self.data)
        await until(self._is_primary, "the standby is promoted")
        return time.monotonic()

    async def query(self, statement: str, *values: object, database: str = "verify") -> object:
        """Answer the first value of the first row, over a connection of its own."""
        return await query(self.url(database), statement, *values)

    async def _is_primary(self) -> bool:
        return await self.query("select pg_is_in_recovery()") is False

    def _answers(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            # A process of the server that was killed, begun at that moment, lives until it notices.
            assert ORPHAN in self.log.read_text()[-500:], self.log.read_text()
            self._launch()
        probe = ("-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "app", "-d", "postgres")
        return self.installation.run("pg_isready", *probe).returncode == 0

    def _signal(self, number: signal.Signals) -> None:
        """Signal the postmaster, then its children: they lead groups of their own, and it would replace them."""
        assert self.process
        if self.process.poll() is not None:
            return
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        for pid in (self.process.pid, *map(int, listed.stdout.split())):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _await_end(self) -> None:
        assert self.process
        try:
            self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.kill()


class Pair:
    """A primary and its standby. Which is which changes when one is promoted; `first` and `second` stay."""

    def __init__(self, first: Server, second: Server) -> None:
        self.first = first
        self.second = second

    @property
    def url(self) -> str:
        """Answer an address that names both."""
        hosts = f"host=127.0.0.1:{self.first.port}&host=127.0.0.1:{self.second.port}"
        return f"postgresql+asyncpg://app@/verify?{hosts}&ssl=disable"


@asynccontextmanager
async def run_pair(*, synchronous: bool = False, **settings: str) -> AsyncIterator[Pair]:
    """Run a primary with a migrated database `verify`, and a standby that streams from it.

    `synchronous`: a commit on the first is answered when the second has it. `settings` are PostgreSQL's own, of both.
    """
    account = find_account()
    with tempfile.TemporaryDirectory(prefix="verify-gateway-pair-") as folder:
        place = Path(folder)
        if account:
            os.chown(place, account.uid, account.gid)
        installation = find_installation(place, account)
        pair = Pair(*(Server(installation, place, free_port(), settings) for _ in range(2)))
        try:
            await _make_primary(pair.first)
            await _make_standby(pair.first, pair.second)
            if synchronous:
                await pair.first.query("alter system set synchronous_standby_names = '*'")
                await pair.first.query("select pg_reload_conf()")
            yield pair
        finally:
            pair.second.stop()
            pair.first.stop()


async def _make_primary(server: Server) -> None:
    _run(server, "initdb", "-D", server.data, "-U", "app", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    await server.start()
    await server.query("create database verify", database="postgres")
    await asyncio.to_thread(migrate.upgrade, server.url())


async def _make_standby(primary: Server, standby: Server) -> None:
    source = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "app")
    _run(standby, "pg_basebackup", *source, "-D", standby.data, "-R", "-c", "fast", "--no-sync")
    await standby.start()

    async def streams() -> bool:
        return bool(await primary.query("select exists (select from pg_stat_replication where state = 'streaming')"))

    await until(streams, "the standby streams")


def _run(server: Server, program: str, *arguments: str | Path) -> None:
    done = server.installation.run(program, *arguments)
    assert done.returncode == 0, done.stderr
