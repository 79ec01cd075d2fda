"""What the handlers work with: the flows and settings that app put together, found through the connection.

Made by app. Holds no state of its own.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from litestar.connection import ASGIConnection
from netaddr import IPSet

from service.api.refusals import Refusals
from service.api.strangers import Strangers
from service.db.batch import Waiting
from service.db.engine import Database
from service.fraud.blocks import Blocks
from service.vault import Vault
from service.verification.check import Checks
from service.verification.events import Events
from service.verification.exemptions import Exemptions
from service.verification.keys import KeyRing
from service.verification.oversight import Oversight
from service.verification.request import Requests
from service.verification.view import Views

# Where the server puts who waits for an answer: since when, and whether the connection still stands.
WAITING = "verify_gateway.waiting"


class WebhookRules(msgspec.Struct, frozen=True):
    """From where webhooks are taken, and how they must come."""

    allowed: IPSet
    trusted_proxies: IPSet
    require_https: bool
    public_key: bytes | None


class Parts(msgspec.Struct, frozen=True):
    """One process's flows."""

    vault: Vault
    keys: KeyRing
    strangers: Strangers
    requests: Requests
    checks: Checks
    views: Views
    events: Events
    oversight: Oversight
    blocks: Blocks
    exemptions: Exemptions
    database: Database
    webhooks: WebhookRules
    refusals: Refusals
    metrics_here: bool


def parts_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Parts:
    """Return the parts of the app that this connection came to."""
    return cast("Parts", connection.app.state.parts)


def waiting_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Waiting | None:
    """Return who waits for the answer to this request; None under a server that does not say."""
    return cast("Waiting | None", connection.scope.get(WAITING))
