"""A gateway on a clock that the test drives: real flow, real HTTP, real database, and no round that runs by itself.

Used by machine. What the worker would do is done when `settle` is called; a process dies when `crash` is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import aiohttp
import msgspec
import pytest
from litestar import Litestar

from service.api.server.observation import Observation
from service.app import Gateway, open_gateway
from service.db.engine import open_database
from service.db.pool import Pool
from service.sandbox.composition import Lifespan
from service.sandbox.faults import Fault, FaultKind
from service.sandbox.main import SandboxSettings, create_sandbox
from service.sandbox.stage import SandboxStage
from service.sandbox.telnyx import service
from service.sandbox.telnyx.service import SimulatedTelnyx, TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners, _describe
from service.settings import Settings, load
from service.verification import checks
from service.verification.sends.starts import Starts
from service.verification.states import MOST_SENDS
from tests.model.lawful import Rules, Window
from tests.support.gateway import Calls, environment_of, make_key, observe_histories
from tests.support.routes import lend_routes
from tests.support.serving import serve_app
from tests.support.waiting import until

CLIENTS = ("shop", "bank")
HELD = "select provider_id from sends where verification_id = $1 and state = 'sent' and provider = 'telnyx' order by 1"
SENDS = "select channel, state, provider, provider_id from sends where verification_id = $1"
ADOPTED = "select count(*) from sends where provider_id = any ($1)"
LEDGER = """
select coalesce((select sum(sends) from ledger), 0)::int,
       (select count(*) from sends where state = 'in_doubt' and booked_on is not null)::int
"""


class Rig:
    """The gateway, and Telnyx in the same process. `now`: what the database is told to be the time."""

    gateway: Gateway
    _pool: Pool

    def __init__(self, telnyx: SimulatedTelnyx, stage: SandboxStage, rules: Rules) -> None:
        self.rules = rules
        self.calls: dict[str, Calls] = {}
        self._orphans: list[str] = []
        self.telnyx = telnyx
        self.stage = stage
        self.now = datetime.now(UTC)

    def enter(self, gateway: Gateway) -> None:
        """Take over a gateway whose worker rests."""
        self.gateway, self._pool = gateway, gateway.services.database.pool
        gateway.services.requests._dispatch._starts = Starts(0.0)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def settle(self) -> None:
        """Do all that a worker would do now, until nothing is left to do at this moment."""
        worker = self.gateway.worker
        while True:
            await self._wait_for_slots()
            claimed = await worker._leases.claim()
            await self._wait_for_slots()
            await worker._store.apply_events()
            await worker._expire()
            await worker._settle()
            if not claimed:
                return

    @asynccontextmanager
    async def crashing(self, *, reached: bool) -> AsyncIterator[None]:
        """Have the process die in what is begun meanwhile: before it reaches Telnyx, or before the answer to it."""
        self.stage.latency = {"send": 1.0}
        before = self._count_sends()
        yield
        running = list(self.gateway.worker._slots._running)
        if reached and running:
            await until(lambda: self._count_sends() > before, "a send reaches Telnyx")
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.stage.latency = {}
        calls = self.stage.journal.list_calls("send")[before:]
        self._orphans += [call.verification_id for call in calls if call.verification_id is not None]

    def _count_sends(self) -> int:
        return self.stage.journal.count().get("send", 0)

    async def report(self, provider_id: str, delivery: str) -> int:
        """Have Telnyx report a delivery; return how that was answered."""
        verification = self.telnyx.verifications.find(provider_id)
        assert verification is not None
        kind = "verify.failed" if "failed" in delivery else "verify.delivered"
        event = _describe(kind, delivery, verification, f"{provider_id}-{delivery}")
        body = msgspec.json.encode({"data": event})
        headers = self.telnyx.signer.sign(body) | {"content-type": "application/json"}
        session, url = self.calls[CLIENTS[0]].session, self.calls[CLIENTS[0]].url
        async with session.post(f"{url}/webhooks/verify", data=body, headers=headers) as reply:
            return reply.status

    @contextmanager
    def failing_checks(self, kind: FaultKind | None) -> Iterator[None]:
        """Have every check of a verification that Telnyx holds fail in this way."""
        if kind is not None:
            self.stage.faults.add(Fault(kind=kind, operations=("check",)))
        yield
        self.stage.faults.clear()

    async def list_held(self, verification: str) -> list[str]:
        """List the ids under which Telnyx holds the sends of a verification, as far as they are on record."""
        found = await self._pool.fetch(HELD, UUID(verification))
        return [row[0] for row in found]

    async def check_sends(self, verification: str, *, deliver: bool) -> None:
        """Hold what is on record of a verification against what Telnyx did."""
        sends = await self._pool.fetch(SENDS, UUID(verification))
        assert all(send["state"] not in ("due", "begun") for send in sends), sends
        channels = [send["channel"] for send in sends if send["provider_id"] is not None]
        assert len(set(channels)) == len(channels) <= MOST_SENDS, sends
        assert deliver or not any(send["provider"] == "telnyx" for send in sends), sends
        for send in sends:
            if send["provider"] == "telnyx" and send["provider_id"] is not None:
                compared = [
                    call for call in self.stage.journal.list_calls("check")
                    if call.acted and call.verification_id == send["provider_id"]
                ]  # fmt: skip
                assert len(compared) <= self.rules.codes, compared

    async def count_adopted(self) -> int:
        """Count the sends on record that Telnyx had made for a process that died."""
        return int(await self._pool.fetchval(ADOPTED, self._orphans))

    async def check_ledger(self) -> None:
        """Hold the ledger against what Telnyx did: only a send in doubt may cost what did not go."""
        sent = sum(call.acted for call in self.stage.journal.list_calls("send"))
        booked, doubtful = (await self._pool.fetch(LEDGER))[0]
        assert sent <= booked <= sent + doubtful, (sent, booked, doubtful)

    async def _wait_for_slots(self) -> None:
        slots = self.gateway.worker._slots
        await until(lambda: not slots._running, "what was begun has ended")


@asynccontextmanager
async def open_rig(database_url: str, rules: Rules) -> AsyncIterator[Rig]:
    """Serve the gateway, its worker at rest. Waits that only hide times are left out: other tests hold them."""
    stage_app = create_sandbox(
        SandboxSettings(gateway_url="", gateway_key="", telnyx=TelnyxSettings(manners=Manners(reports=False)))
    )
    telnyx: SimulatedTelnyx = stage_app.state.telnyx
    database = await open_database(database_url)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        policy = Path(folder) / "policy.toml"
        policy.write_text(observe_histories(write_policy(rules)))
        async with serve_app(stage_app) as stage_url, aiohttp.ClientSession() as session:
            # Its strategies make up addresses of private networks too.
            private = {"ALLOW_PRIVATE_USER_ADDRESSES": "true"}
            environment = environment_of(database_url, stage_url, policy, telnyx, **private)
            settings = load(Settings, **{name.lower(): value for name, value in environment.items()})
            keys = {client: await make_key(database, client) for client in CLIENTS}
            rig = Rig(telnyx, stage_app.state.stage, rules)
            patch.setattr(service, "write_time", lambda: rig.now.replace(tzinfo=None).isoformat())
            patch.setattr(checks, "STEP", 0.001)
            patch.setattr(checks, "ON_ITS_WAY", 0.0)
            await database.aclose()
            async with open_gateway(settings, lambda: rig.now, working=False) as gateway:
                rig.enter(gateway)
                async with serve_app(Observation(lend_routes([_share(gateway)]), settings.trusted_proxies)) as url:
                    rig.calls = {client: Calls(url, key, session) for client, key in keys.items()}
                    yield rig


def _share(gateway: Gateway) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.services = gateway.services
        yield

    return lifespan


def write_policy(rules: Rules) -> str:
    """Write the model's rules as the policy of the gateway."""

    def text(*windows: Window) -> str:
        return str([f"{most}/{seconds:.0f}s" for most, seconds in windows]).replace("'", '"')

    return f"""
[limits]
phone = {text(*rules.phone)}
ip = {text(*rules.ip)}
account = {text(*rules.account)}
phone_everywhere = ["1000/1h"]
[lockout]
codes_per_verification = {rules.codes}
codes_per_phone = {text(rules.codes_of_source)[1:-1]}
codes_per_phone_total = {text(rules.codes_of_number)[1:-1]}
[verification]
expires_after = "{rules.expires:.0f}s"
[fallback]
after = "{rules.after:.0f}s"
order = {str(list(rules.order)).replace("'", '"')}
"""
