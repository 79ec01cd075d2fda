"""Everything that a run strikes, started and ended here: two sites of a database, Telnyx, and the gateway's processes.

Used by run. Whatever it starts, it ends, however the run goes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp

from service.db.engine import open_database
from service.sandbox.telnyx.service import SimulatedTelnyx, TelnyxSettings
from tests.chaos.database import Sites, open_sites
from tests.chaos.gateways import Gateway, open_gateways
from tests.chaos.policy import CLIENTS, write_policy
from tests.chaos.ports import deal_ports
from tests.chaos.records import Book
from tests.chaos.stand_in import SEED
from tests.chaos.telnyx import StandIn
from tests.support.gateway import environment_of, make_key, observe_histories
from tests.support.waiting import until

# Each process imports for seconds, and on a busy machine they do so all at once.
START = 180.0


class World:
    """What there is."""

    def __init__(
        self, sites: Sites, telnyx: StandIn, gateways: list[Gateway], keys: Mapping[str, str],
        session: aiohttp.ClientSession, book: Book,
    ) -> None:  # fmt: skip
        self.sites = sites
        self.telnyx = telnyx
        self.gateways = gateways
        self.keys = keys
        self.session = session
        self.book = book
        self.urls = [gateway.url for gateway in gateways if gateway.url is not None]

    async def send_webhooks_to(self, number: int) -> None:
        await self.telnyx.send_webhooks_to(f"{self.urls[number % len(self.urls)]}/webhooks/verify")

    async def wait_until_ready(self) -> None:
        """Wait until every process answers."""
        for gateway in self.gateways:
            await until(partial(gateway.is_ready, self.session), f"{gateway.name} is ready", START)


@asynccontextmanager
async def open_world(folder: Path, book: Book, commands: Sequence[str]) -> AsyncIterator[World]:
    """Start everything, with a gateway's process for each command, and wait until it is ready."""
    ports = deal_ports()
    # A stand-in that stood still has closed what lay idle, and the next call on it would be lost: none lies idle.
    controls = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
    async with controls, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        telnyx = StandIn(next(ports), folder, controls)
        telnyx.child.start()
        try:
            async with open_sites(folder / "database", ports) as sites:
                keys = await _make_keys(sites.primary.url())
                policy = folder / "policy.toml"
                policy.write_text(observe_histories(write_policy()))
                told = SimulatedTelnyx(TelnyxSettings(signing_seed=SEED))
                private = {"ALLOW_PRIVATE_USER_ADDRESSES": "true"}  # people.py makes them up in private networks
                settings = environment_of("", telnyx.url, policy, told, **private)
                async with open_gateways(commands, settings, sites, ports, folder, book) as gateways:
                    world = World(sites, telnyx, gateways, keys, session, book)
                    await world.wait_until_ready()
                    await world.send_webhooks_to(0)
                    yield world
        finally:
            telnyx.child.kill()


async def _make_keys(url: str) -> dict[str, str]:
    database = await open_database(url)
    try:
        return {client: await make_key(database, client) for client in CLIENTS}
    finally:
        await database.aclose()
