"""What the handlers use: the services and settings that app has wired, found through the connection.

Made by app, once a process. Holds no state of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import msgspec
from litestar.connection import ASGIConnection
from netaddr import IPSet

from service.api.access.strangers import Strangers
from service.api.webhook_refusals import WebhookRefusals
from service.callbacks.endpoint_admin import Endpoints
from service.clients.authenticator import Authenticator
from service.clients.key_admin import KeyAdmin
from service.db.batch import Waiting
from service.db.engine import Database
from service.fraud.countries import Countries
from service.fraud.gathering.captchas import Captchas
from service.operators.backtesting.backtests import Backtests
from service.operators.doctor.examination import Point, examine
from service.operators.explaining.verifications import OperatorQueries
from service.operators.number_limits import NumberLimitQueries
from service.operators.overrides.blocks import Blocks
from service.operators.overrides.exemptions import Exemptions
from service.operators.overrides.review_numbers import ReviewNumbers
from service.operators.records import Records
from service.operators.reports.activity import ActivityQueries
from service.operators.reports.latest import Latest
from service.operators.reports.measured import Measured, measure
from service.operators.reports.observations import Observations
from service.operators.reports.outcomes import Outcomes
from service.operators.reports.situation import Situation
from service.operators.sessions import Sessions
from service.policy.model import Policies
from service.providers.fingerprint.event import SealedEvents
from service.providers.health_notes import HealthNotes
from service.providers.verify.protocol import DeliveryWebhook
from service.settings import Settings
from service.vault import Vault
from service.verification.actions import VerificationActions
from service.verification.admission import Requests
from service.verification.checks import Checks
from service.verification.core import Core
from service.verification.delivery_events import DeliveryEvents
from service.verification.gate import Gate
from service.verification.step_up import StepUp
from service.verification.traces import Traces

# Seconds for which the console shows what takes seconds to find out.
MEASURED_FOR, EXAMINED_FOR = 300.0, 600.0
# The scope's key for the waiting caller: since when they wait, and whether the connection is still open.
WAITING = "verify_gateway.waiting"


class WebhookRules(msgspec.Struct, frozen=True):
    """From where webhooks are accepted, and how they must come."""

    allowed: IPSet
    trusted_proxies: IPSet
    require_https: bool
    provider: DeliveryWebhook


class Services(msgspec.Struct, frozen=True):
    """One process's services, as the handlers see them."""

    vault: Vault
    keys: Authenticator
    strangers: Strangers
    requests: Requests
    checks: Checks
    actions: VerificationActions
    events: DeliveryEvents
    traces: Traces
    operator_queries: OperatorQueries
    blocks: Blocks
    callbacks: Endpoints
    exemptions: Exemptions
    review_numbers: ReviewNumbers
    records: Records
    key_admin: KeyAdmin
    outcomes: Outcomes
    observations: Observations
    countries: Countries
    activity: ActivityQueries
    situation: Situation
    number_limits: NumberLimitQueries
    sessions: Sessions
    backtests: Backtests
    measured: Latest[Measured]
    examination: Latest[list[Point]]
    gate: Gate
    policies: Policies
    policy_file: str | None
    now: Callable[[], datetime | None]
    database: Database
    webhooks: WebhookRules
    refusals: WebhookRefusals
    metrics_here: bool
    private_addresses: bool


def make_services(
    core: Core, settings: Settings, sealed: SealedEvents | None, webhook: DeliveryWebhook, health_notes: HealthNotes,
    wake: Callable[[], None], countries: Countries, captchas: Captchas,
) -> Services:  # fmt: skip
    """Put them together. `wake`: has kept webhooks applied."""
    outcomes = Outcomes(core.database, core.now)
    database, vault, store = core.database, core.vault, core.store
    step_up = StepUp(vault, countries, captchas, store.knows_key)
    return Services(
        vault=vault,
        keys=core.keys,
        strangers=Strangers(),
        requests=Requests(
            store,
            vault,
            core.gate,
            core.dispatch,
            core.slots,
            core.traces,
            sealed,
            step_up,
        ),
        checks=core.checks,
        actions=VerificationActions(store, core.gate, core.slots),
        events=DeliveryEvents(store, wake),
        traces=core.traces,
        operator_queries=OperatorQueries(database, vault, core.now),
        callbacks=Endpoints(database, vault, allow_private=settings.callback_allow_private),
        blocks=Blocks(database, vault, core.now),
        exemptions=Exemptions(database, vault, core.now),
        review_numbers=ReviewNumbers(database, vault, core.policies, core.now),
        records=Records(database),
        key_admin=KeyAdmin(database, vault),
        outcomes=outcomes,
        observations=Observations(database, core.policies, core.now),
        countries=countries,
        activity=ActivityQueries(database, core.now),
        situation=Situation(database, core.now),
        number_limits=NumberLimitQueries(database, vault, core.policies, core.now),
        sessions=Sessions(database, vault, core.policies, core.now),
        backtests=Backtests(database, core.now),
        measured=Latest(lambda: measure(outcomes), MEASURED_FOR),
        examination=Latest(lambda: examine(settings, core.policies, database, list(os.environ)), EXAMINED_FOR),
        gate=core.gate,
        policies=core.policies,
        policy_file=settings.policy_file,
        now=core.now,
        database=database,
        webhooks=WebhookRules(
            allowed=settings.webhook_allowed_cidrs,
            trusted_proxies=settings.trusted_proxies,
            require_https=settings.webhook_require_https,
            provider=webhook,
        ),
        refusals=WebhookRefusals(health_notes),
        metrics_here=settings.metrics_port is None,
        private_addresses=settings.allow_private_user_addresses,
    )


def services_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Services:
    """Return the parts of the app that serves this connection."""
    return cast("Services", connection.app.state.services)


def waiting_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Waiting | None:
    """Return the caller that waits for this request's reply; None under a server that does not say."""
    return cast("Waiting | None", connection.scope.get(WAITING))
