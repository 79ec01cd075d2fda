"""Telnyx Verify on loopback: the routes under /v2, and an app with them and their controls.

Built by sandbox.main and by tests. The routes are plain ASGI below one mount, to be cheap for benchmarks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send

from service.sandbox.composition import compose_app
from service.sandbox.control import list_stage_controls, list_telnyx_controls
from service.sandbox.faults import Fault
from service.sandbox.inbox import list_inbox_routes
from service.sandbox.stage import Planned, SandboxStage
from service.sandbox.telnyx.carrier import plan_carrier
from service.sandbox.telnyx.checks import plan_check, plan_check_by_phone, plan_lookup, plan_state
from service.sandbox.telnyx.profile_calls import plan_balance, plan_profile
from service.sandbox.telnyx.replies import decline, word_fault
from service.sandbox.telnyx.sends import PATHS, plan_send
from service.sandbox.telnyx.service import SimulatedTelnyx
from service.sandbox.wire import Request, StandInReply


class TelnyxStandIn:
    """Telnyx on a stage: implements `StandIn`."""

    def __init__(self, telnyx: SimulatedTelnyx, stage: SandboxStage) -> None:
        self.telnyx = telnyx
        self.stage = stage
        self._authorization = f"Bearer {telnyx.settings.api_key}".encode()

    def fail(self, fault: Fault) -> StandInReply:
        """Write a failure as Telnyx does."""
        return word_fault(fault)

    def plan(self, request: Request) -> Planned:  # noqa: C901, PLR0911  the table of routes
        """Find the call; 401 without the key, 404 for a path that Telnyx does not have."""
        if request.headers.get(b"authorization") != self._authorization:
            raise decline(401, "10009", "No key found matching the credentials given.")
        match request.method, request.parts:
            case "POST", ["verifications", path] if path in PATHS:
                return plan_send(self.telnyx, PATHS[path], request.body)
            case "POST", ["verifications", verification_id, "actions", "verify"]:
                return plan_check(self.telnyx, verification_id, request.body)
            case "GET", ["verifications", verification_id]:
                return plan_state(self.telnyx, verification_id)
            case "GET", ["verifications", "by_phone_number", phone_number]:
                return plan_lookup(self.telnyx, phone_number)
            case "POST", ["verifications", "by_phone_number", phone_number, "actions", "verify"]:
                return plan_check_by_phone(self.telnyx, phone_number, request.body)
            case _, ["verify_profiles", *_]:
                return plan_profile(self.telnyx, request)
            case "GET", ["balance"]:
                return plan_balance(self.telnyx)
            case "GET", ["number_lookup", phone_number]:
                return plan_carrier(phone_number)
        raise decline(404, "10005", "The requested resource or URL could not be found.")


def mount_telnyx(telnyx: SimulatedTelnyx, stage: SandboxStage) -> ASGIRouteHandler:
    """Return the mount at /v2, so that TELNYX_BASE_URL ends in /v2 as the real one does."""
    stand_in = TelnyxStandIn(telnyx, stage)

    @asgi("/v2", is_mount=True, copy_scope=False)
    async def answer_telnyx(scope: HTTPScope, receive: Receive, send: Send) -> None:
        await stage.perform(stand_in, scope, receive, send)

    return answer_telnyx


@asynccontextmanager
async def deliver_webhooks(app: Litestar) -> AsyncIterator[None]:
    """Lifespan: send webhooks while the app is up. Telnyx is the app's `state.telnyx`."""
    courier = app.state.telnyx.courier
    await courier.open()
    try:
        yield
    finally:
        await courier.close()


def create_telnyx(telnyx: SimulatedTelnyx | None = None, stage: SandboxStage | None = None) -> Litestar:
    """Return an app with only Telnyx, its controls and inbox; `app.state.telnyx` and `.stage` hold both."""
    telnyx, stage = telnyx or SimulatedTelnyx(), stage or SandboxStage()
    handlers = [
        mount_telnyx(telnyx, stage),
        *list_stage_controls(),
        *list_telnyx_controls(),
        *list_inbox_routes(),
    ]
    return compose_app(handlers, [deliver_webhooks], telnyx=telnyx, stage=stage)
