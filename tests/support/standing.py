"""A PostgreSQL server of a test's own that can be made to stand still, to wait for a standby, or to be met by a pooler.

Used by the tests of unclear ends. Signals only processes that it started itself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from service.db.embedded.installation import find_account, find_installation
from tests.support import replication
from tests.support.ports import free_port
from tests.support.replication import Server
from tests.support.waiting import until

POOLER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
NO_STANDBY = "alter system set synchronous_standby_names = 'away'"
ALONE = "alter system reset synchronous_standby_names"


@asynccontextmanager
async def run_server(**settings: str) -> AsyncIterator[Server]:
    """Run a server with a migrated database `verify`."""
    account = find_account()
    with tempfile.TemporaryDirectory(prefix="verify-gateway-standing-") as folder:
        place = Path(folder)
        if account:
            os.chown(place, account.uid, account.gid)
        server = Server(find_installation(place, account), place, free_port(), settings)
        try:
            await replication._make_primary(server)
            yield server
        finally:
            server.stop()


@asynccontextmanager
async def without_standby(server: Server) -> AsyncIterator[None]:
    """Let every commit wait for a standby that is away; those that wait are committed when it is over."""
    await server.query(NO_STANDBY)
    await server.query("select pg_reload_conf()")
    await until(lambda: _is(server, "away"), "commits wait")
    try:
        yield
    finally:
        await server.query(ALONE)
        await server.query("select pg_reload_conf()")
        await until(lambda: _is(server, ""), "commits wait no longer")


async def _is(server: Server, names: str) -> bool:
    return await server.query("show synchronous_standby_names") == names


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[None]:
    """Hold a table as somebody does who changes it."""
    _, places = make_url(url).get_dialect()().create_connect_args(make_url(url))
    connection = await asyncpg.connect(**places)
    try:
        async with connection.transaction():
            await connection.execute(f"lock table {table} in access exclusive mode")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def run_pooler(url: str) -> AsyncIterator[str]:
    """Run PgBouncer in transaction mode before a database, and answer its address; without one the test is skipped."""
    if POOLER is None:
        pytest.skip("PgBouncer is not installed")
    far, port, account = make_url(url), free_port(), find_account()
    host = far.query.get("host", far.host)
    with tempfile.TemporaryDirectory(prefix="verify-gateway-pooler-") as folder:
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n{far.database} = host={host} port={far.query.get('port', far.port or 5432)} user=app\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = transaction\nlogfile = {folder}/log\ndefault_pool_size = 20\n"
        )
        if account:
            os.chown(folder, account.uid, account.gid)
        process = subprocess.Popen(
            [POOLER, "-q", str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **(account.identity if account else {}),
        )  # fmt: skip
        try:
            near = far.set(host="127.0.0.1", port=port, username="app", query={"ssl": "disable"})
            await until(lambda: _listens(port), "the pooler takes connections")
            yield near.render_as_string(hide_password=False)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
