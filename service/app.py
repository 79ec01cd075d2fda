"""The composition root: settings in, app out; every route is listed here.

Called by cli and the tests. Wires the parts together and starts what runs beside the requests; decides nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from litestar import Litestar
from litestar.types import ASGIApp, ControllerRouterHandler

from service import telemetry
from service.api import health, verifications, webhooks
from service.api.access.strangers import Strangers
from service.api.answers import answer
from service.api.openapi import page
from service.api.operator import router
from service.api.refusals import Refusals
from service.api.server.observation import Observation
from service.api.services import Services, WebhookRules
from service.clients.authenticator import Authenticator
from service.clients.store import KeyStore
from service.db.engine import Database, open_database
from service.db.schema import migrate
from service.fraud.gathering.captchas import Captchas, check_provider
from service.fraud.gathering.device_events import DeviceEvents
from service.fraud.judge import Judge
from service.fraud.store import FraudStore
from service.operators.blocks import Blocks
from service.operators.exemptions import Exemptions
from service.operators.verifications import OperatorQueries
from service.policy import loading
from service.policy.model import Policies
from service.providers.alerts import Alerts
from service.providers.captcha.siteverify import Captcha
from service.providers.fingerprint.client import HOSTS, Fingerprint
from service.providers.fingerprint.sealed import Sealed
from service.providers.fingerprint.v3 import V3
from service.providers.fingerprint.v4 import V4
from service.providers.health_notes import HealthNotes
from service.providers.telnyx.client import Telnyx
from service.providers.telnyx.number_lookup import TelnyxLines
from service.providers.telnyx.probe import TelnyxProbe
from service.providers.verify.decoy import DecoyProvider
from service.providers.verify.health import ProviderHealth
from service.providers.verify.testing import TestProvider
from service.providers.verify.timings import Timed, Timings
from service.settings import Settings
from service.vault import Vault
from service.verification.actions import VerificationActions
from service.verification.admission import Requests
from service.verification.checks import Checks
from service.verification.delivery_events import DeliveryEvents
from service.verification.dispatch import Dispatch
from service.verification.ended_verifications import Ended
from service.verification.gate import Gate, profiles_of
from service.verification.senders import Senders
from service.verification.slots import Slots
from service.verification.storage.store import Store
from service.worker.alarms import Alarms
from service.worker.leases import Leases
from service.worker.loop import DRAIN, Worker
from service.worker.retention import Retention

LARGEST_BODY = 64 * 1024
# Sends at once in one process. Each waits for Telnyx most of its time.
SLOTS = 100

ROUTES: Sequence[ControllerRouterHandler] = [
    verifications.router,
    router.router,
    webhooks.receive_webhook,
    health.read_health,
    health.read_readiness,
    health.read_metrics,
    page.read_page,
    page.read_style,
    page.read_script,
    page.read_document,
]


class Gateway:
    """One process's parts: what answers requests, and what works after the answer."""

    def __init__(self, settings: Settings, database: Database, now: Callable[[], datetime | None]) -> None:
        """Wire everything; nothing runs yet."""
        policies = loading.load(settings.policy_file)
        check_provider(policies, configured=settings.captcha_provider is not None)
        vault = Vault(settings.secret_key, settings.index_key)
        store = Store(database, policies, now)
        self.owed = store.owed
        self.telnyx = Telnyx(settings.telnyx_api_key, str(settings.telnyx_base_url))
        self.ended = Ended(database, now)
        self.senders = _senders(settings, policies, self.telnyx, self.ended, vault)
        gate, slots = Gate(self.senders.health, self.senders.profile_id), Slots(SLOTS)
        self.devices = _devices(settings)
        self.captcha = _captcha(settings)
        self.alerts = Alerts(str(settings.alert_webhook_url) if settings.alert_webhook_url else None)
        troubles = HealthNotes()
        sealed = _sealed(settings)
        events = DeviceEvents(self.devices, sealed, troubles)
        self.lines = TelnyxLines(settings.telnyx_api_key, str(settings.telnyx_base_url))
        self.judge = Judge(
            vault, FraudStore(database, now), events, Captchas(self.captcha, troubles), self.lines, troubles
        )
        dispatch = Dispatch(store, self.judge, self.senders, slots.ask)
        checks = Checks(store, self.judge, self.senders, gate)
        keys = Authenticator(KeyStore(database, now), vault, policies)
        self.worker = Worker(
            store=store,
            gate=gate,
            prober=TelnyxProbe(self.telnyx, self.ended.pick),
            ended=self.ended,
            slots=slots,
            leases=Leases(store, vault, policies, dispatch, slots),
            checks=checks,
            policies=policies,
            keys=keys,
            retention=Retention(database, now),
            alarms=Alarms(database, policies.default.alerts, self.alerts, troubles, self.senders.health, now),
            tags=vault.tags,
        )
        self.services = Services(
            vault=vault,
            keys=keys,
            strangers=Strangers(),
            requests=Requests(store, vault, gate, dispatch, slots, sealed),
            checks=checks,
            actions=VerificationActions(store, gate, slots),
            events=DeliveryEvents(store, self.worker.events.set),
            operator_queries=OperatorQueries(database, vault, now),
            blocks=Blocks(database, vault, now),
            exemptions=Exemptions(database, vault, now),
            database=database,
            webhooks=_webhook_rules(settings),
            refusals=Refusals(troubles),
            metrics_here=settings.metrics_port is None,
        )

    async def start(self) -> None:
        """Pay for what is slow to import, then begin to work."""
        await self.ended.refresh()
        await self.telnyx.start()
        if self.devices is not None:
            await self.devices.start()
        self.worker.start()

    async def stop(self) -> None:
        """Finish what runs, then give the connections back."""
        await self.worker.stop()
        if not await self.owed.settle_up(DRAIN):
            telemetry.log.error("not_settled_up")
        await self.senders.silent.aclose()
        await self.telnyx.aclose()
        if self.devices is not None:
            await self.devices.aclose()
        if self.captcha is not None:
            await self.captcha.aclose()
        await self.alerts.aclose()
        await self.lines.aclose()


@asynccontextmanager
async def open_gateway(settings: Settings, now: Callable[[], datetime | None] = lambda: None) -> AsyncIterator[Gateway]:
    """Run a gateway while the context is open. Raises SchemaOutdated, Unavailable, PolicyError."""
    database = await open_database(settings.database_url, pooler=settings.database_pooler)
    try:
        await migrate.check(database)
        gateway = Gateway(settings, database, now)
        await gateway.start()
        try:
            yield gateway
        finally:
            await gateway.stop()
    finally:
        await database.aclose()


def create_app(settings: Settings, opened: Callable[[], None] = lambda: None) -> ASGIApp:
    """Make the app that uvicorn serves. `opened` is called when everything is there."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_gateway(settings) as gateway:
            app.state.services = gateway.services
            opened()
            yield

    return Observation(create_routes([lifespan]), settings.trusted_proxies)


def create_routes(lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]]) -> Litestar:
    """Make the routes alone: what the OpenAPI file is written from."""
    return Litestar(
        ROUTES,
        lifespan=list(lifespan),
        exception_handlers={Exception: answer},
        openapi_config=None,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )


def _senders(settings: Settings, policies: Policies, telnyx: Telnyx, ended: Ended, vault: Vault) -> Senders:
    timings = Timings()
    real = Timed(telnyx, timings)
    return Senders(
        real=real,
        silent=DecoyProvider(timings, telnyx, ended.pick),
        rehearsal=TestProvider(vault.hash(b"rehearsal", "").bytes),
        idle=DecoyProvider(Timings()),
        health=ProviderHealth(profiles_of(policies, settings.telnyx_verify_profile_id)),
        profile_id=settings.telnyx_verify_profile_id,
    )


def _devices(settings: Settings) -> Fingerprint | None:
    if settings.fingerprint_secret_key is None:
        return None
    base_url = str(settings.fingerprint_base_url or HOSTS[settings.fingerprint_region])
    api = V3 if settings.fingerprint_api == "v3" else V4
    return Fingerprint(api(settings.fingerprint_secret_key, base_url))


def _sealed(settings: Settings) -> Sealed | None:
    return Sealed(settings.fingerprint_sealed_keys) if settings.fingerprint_sealed_keys else None


def _captcha(settings: Settings) -> Captcha | None:
    if settings.captcha_provider is None or settings.captcha_secret is None:
        return None
    base_url = str(settings.captcha_base_url) if settings.captcha_base_url else None
    return Captcha(settings.captcha_provider, settings.captcha_secret, base_url)


def _webhook_rules(settings: Settings) -> WebhookRules:
    return WebhookRules(
        allowed=settings.webhook_allowed_cidrs,
        trusted_proxies=settings.trusted_proxies,
        require_https=settings.webhook_require_https,
        public_key=settings.telnyx_public_key,
    )
