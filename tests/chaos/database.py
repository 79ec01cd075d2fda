"""The database of a run: two sites, a primary on one and its synchronous standby on the other, and how they fail.

Used by world and strikes. What was answered must survive every failure of these: durable as far as processes go.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from service.db.embedded.installation import find_account, find_installation
from tests.support.replication import Server, _make_primary, _make_standby

SETTINGS = {"max_connections": "200", "max_wal_size": "512MB"}


class Sites:
    """Both servers. `primary` and `standby` change places with each failover."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self.servers = (primary, standby)
        self.primary = primary
        self.standby = standby

    async def restart(self, way: Literal["fast", "immediate", "kill"]) -> None:
        """End the primary and start it again, as an upgrade, a crash or a lost machine does."""
        if way == "kill":
            self.primary.kill()
        else:
            process = self.primary.process
            assert process
            process.send_signal(signal.SIGINT if way == "fast" else signal.SIGQUIT)
            await asyncio.to_thread(process.wait)
        await self.primary.start()

    async def fail_over(self, way: Literal["kill", "standstill"], after: float) -> None:
        """Lose the primary, promote the standby, and make a standby of what was lost."""
        lost, survivor = self.primary, self.standby
        if way == "kill":
            lost.kill()
        else:
            lost.freeze()
        await asyncio.sleep(after)
        await survivor.promote()
        lost.kill()  # it must never answer again, whatever it believes
        shutil.rmtree(lost.data)
        await _make_standby(survivor, lost)
        await require_standby(survivor)
        self.primary, self.standby = survivor, lost


async def require_standby(primary: Server) -> None:
    """From now on a commit is answered when the standby has it too."""
    await primary.query("alter system set synchronous_standby_names = '*'", database="postgres")
    await primary.query("select pg_reload_conf()", database="postgres")


@asynccontextmanager
async def open_sites(place: Path, ports: Iterator[int]) -> AsyncIterator[Sites]:
    """Start a primary with a migrated database and its synchronous standby; end both."""
    account = find_account()
    place.mkdir()
    if account:
        os.chown(place, account.uid, account.gid)
    installation = await asyncio.to_thread(find_installation, place, account)
    primary, standby = (Server(installation, place, next(ports), SETTINGS) for _ in range(2))
    sites = Sites(primary, standby)
    try:
        await _make_primary(primary)
        await _make_standby(primary, standby)
        await require_standby(primary)
        yield sites
    finally:
        for server in (standby, primary):
            server.thaw()
            server.stop()
