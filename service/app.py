"""The composition root: makes the app from the settings, and lists every route.

Called by cli and the tests. Opens the parts, in the order in which they need each other, and closes them; decides
nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.config.app import AppConfig
from litestar.types import ASGIApp, ControllerRouterHandler
from typing_extensions import override

from service import tracing
from service.api import health, verifications, webhooks
from service.api.answers import answer
from service.api.console import router as console
from service.api.console.entry import answer_page
from service.api.openapi import page
from service.api.operator import router
from service.api.server.observation import Observation, name_requests
from service.api.server.short_way import ShortWay
from service.api.services import Services, make_services
from service.callbacks.delivery import CALL, Delivery
from service.db import engine
from service.db.schema import migrate
from service.fraud.countries import Countries
from service.fraud.gathering.captcha_verdicts import CaptchaVerdicts
from service.fraud.gathering.captchas import Captchas, check_provider
from service.fraud.gathering.device_events import DeviceEvents
from service.fraud.judge import Judge
from service.fraud.storage.store import FraudStore
from service.lifetime import Lifetime
from service.policy import loading
from service.providers.health_notes import HealthNotes
from service.providers.telnyx.probe import TelnyxProbe
from service.providers.telnyx.webhook import TelnyxWebhook
from service.providers.vendors import open_vendors
from service.settings import Settings
from service.vault import Vault
from service.verification.core import make_core
from service.verification.storage import owed
from service.worker.alarms import Alarms, Watched
from service.worker.countries import CountryWatch
from service.worker.loop import STOP_LIMIT, Worker

# Seconds that what operators started has to end.
BACKGROUND_LIMIT = 3.0
LARGEST_BODY = 64 * 1024
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

ROUTES: Sequence[ControllerRouterHandler] = [
    verifications.router,
    router.router,
    console.router,
    webhooks.receive_webhook,
    health.read_health,
    health.read_readiness,
    health.read_metrics,
    page.read_page,
    page.read_style,
    page.read_script,
    page.read_viewer_style,
    page.read_viewer,
    page.read_document,
]


class Gateway(msgspec.Struct, frozen=True):
    """One process: what answers requests, and what works after the reply."""

    services: Services
    worker: Worker


@asynccontextmanager
async def open_gateway(
    settings: Settings, now: Callable[[], datetime | None] = lambda: None, *, working: bool = True
) -> AsyncIterator[Gateway]:
    """Open everything; at the end, and where something does not open, close what is open in the reverse order.

    Without `working` the worker rests: its rounds are its opener's to run. Raises SchemaOutdated, Unavailable,
    PolicyError.
    """
    async with Lifetime() as lifetime:
        tracing.start()
        lifetime.at_end("tracing", tracing.stop, tracing.STOP_LIMIT + 1)
        policies = loading.load(settings.policy_file)
        check_provider(policies, configured=settings.captcha_provider is not None)
        vault, health_notes = Vault(settings.secret_key, settings.index_key), HealthNotes()
        database = await engine.open_database(
            settings.database_url, pooler=settings.database_pooler, pool_size=settings.database_pool_size
        )
        lifetime.hold(database, 2 * engine.CLOSE_LIMIT)
        await migrate.check(database)
        vendors = await open_vendors(settings, lifetime)

        fraud_store, events = FraudStore(database, now), DeviceEvents(vendors.devices, vendors.sealed, health_notes)
        captchas = Captchas(vendors.captcha, CaptchaVerdicts(vault, fraud_store), health_notes)
        countries = Countries(vault, database.pool, now)
        judge = Judge(vault, fraud_store, events, captchas, vendors.lines, health_notes, countries)
        core = make_core(database, vault, policies, judge, vendors.telnyx, settings, now)
        lifetime.hold(core.store.owed, owed.SETTLE_LIMIT + 1)
        await core.ended.refresh()
        await countries.read_first()

        unknown = settings.webhook_max_unknown
        watched = Watched(core.tally, CountryWatch(database.pool, countries, policies.default, now))
        alarms = Alarms(database, policies, vendors.alerts, health_notes, core.senders.health, now, unknown, watched)
        delivery = Delivery(database, vault, now, allow_private=settings.callback_allow_private)
        lifetime.hold(delivery, CALL + 2)
        worker = Worker(core, TelnyxProbe(vendors.telnyx, core.ended.pick), alarms, delivery)
        lifetime.at_end("worker", worker.stop, STOP_LIMIT)
        if working:
            worker.start()

        webhook = TelnyxWebhook(settings.telnyx_public_key)
        services = make_services(
            core, settings, vendors.sealed, webhook, health_notes, worker.events.set, countries, captchas
        )
        lifetime.at_end("backtests", services.backtests.stop, BACKGROUND_LIMIT)
        lifetime.at_end("measurements", services.measured.stop, BACKGROUND_LIMIT)
        lifetime.at_end("examination", services.examination.stop, BACKGROUND_LIMIT)
        yield Gateway(services, worker)


class Routes(Litestar):
    """Litestar without its look for its own plugin of OpenTelemetry, which imports the whole of it: we use another."""

    @staticmethod
    @override
    def _patch_opentelemetry_middleware(config: AppConfig) -> AppConfig:
        return config


def create_routes(lifespan: Sequence[Lifespan]) -> Litestar:
    """Make only the routes, from which the OpenAPI file is written."""
    return Routes(
        ROUTES,
        lifespan=list(lifespan),
        exception_handlers={Exception: _answer},
        openapi_config=None,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )


def shorten_routes(lifespan: Sequence[Lifespan]) -> ASGIApp:
    """Make the routes as they are served."""
    return ShortWay(create_routes(lifespan))


def create_app(
    settings: Settings,
    opened: Callable[[], None] = lambda: None,
    routes: Callable[[Sequence[Lifespan]], ASGIApp] = shorten_routes,
) -> ASGIApp:
    """Make the app that uvicorn serves. `opened` is called when everything is ready; `routes` makes the routes."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_gateway(settings) as gateway:
            app.state.services = gateway.services
            opened()
            yield

    tracing.start()
    return Observation(tracing.wrap(name_requests(routes([lifespan]))), settings.trusted_proxies)


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a path or method that no route has: an operator's browser by a page, everybody else by a problem."""
    return (answer_page if request.url.path.startswith("/operator/") else answer)(request, error)
