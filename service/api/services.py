"""What the handlers work with: the flows and settings that app put together, found through the connection.

Made by app. Holds no state of its own.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from litestar.connection import ASGIConnection
from netaddr import IPSet

from service.api.access.strangers import Strangers
from service.api.refusals import Refusals
from service.clients.authenticator import Authenticator
from service.db.batch import Waiting
from service.db.engine import Database
from service.operators.blocks import Blocks
from service.operators.exemptions import Exemptions
from service.operators.verifications import OperatorQueries
from service.vault import Vault
from service.verification.actions import VerificationActions
from service.verification.admission import Requests
from service.verification.checks import Checks
from service.verification.delivery_events import DeliveryEvents

# Where the server puts who waits for an answer: since when, and whether the connection still stands.
WAITING = "verify_gateway.waiting"


class WebhookRules(msgspec.Struct, frozen=True):
    """From where webhooks are taken, and how they must come."""

    allowed: IPSet
    trusted_proxies: IPSet
    require_https: bool
    public_key: bytes | None


class Services(msgspec.Struct, frozen=True):
    """One process's flows."""

    vault: Vault
    keys: Authenticator
    strangers: Strangers
    requests: Requests
    checks: Checks
    actions: VerificationActions
    events: DeliveryEvents
    operator_queries: OperatorQueries
    blocks: Blocks
    exemptions: Exemptions
    database: Database
    webhooks: WebhookRules
    refusals: Refusals
    metrics_here: bool


def services_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Services:
    """Return the parts of the app that this connection came to."""
    return cast("Services", connection.app.state.services)


def waiting_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Waiting | None:
    """Return who waits for the answer to this request; None under a server that does not say."""
    return cast("Waiting | None", connection.scope.get(WAITING))
