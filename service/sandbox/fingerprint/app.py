"""Fingerprint's server API on loopback: GET /v4/events/{id}, GET /events/{id}, and a call that makes events.

Built by sandbox.main and by tests. Both versions answer from the same events, as the real ones do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec
from litestar import Litestar, asgi, post
from litestar.di import NamedDependency
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import HTTPScope, Receive, Send

from service.sandbox.composition import compose_app
from service.sandbox.control import list_stage_controls
from service.sandbox.faults import Fault
from service.sandbox.fingerprint.events import FingerprintEvent, Mint
from service.sandbox.fingerprint.service import Minted, SimulatedFingerprint
from service.sandbox.fingerprint.shapes import describe_v3, describe_v4
from service.sandbox.stage import Acted, Planned, SandboxStage
from service.sandbox.wire import JSON, Declined, Request, StandInReply

ApiVersion = Literal["v4", "v3"]
Trouble = Literal["malformed", "no_key", "wrong_key", "inactive", "not_found", "quota", "broken"]

_EVENT_ID = re.compile(r"[0-9]{13}\.[A-Za-z0-9]{6}")

# What goes wrong: HTTP status, the code in v4, the code in v3.
_TROUBLES: dict[Trouble, tuple[int, str, str]] = {
    "malformed": (400, "request_cannot_be_parsed", "RequestCannotBeParsed"),
    "no_key": (403, "secret_api_key_required", "TokenRequired"),
    "wrong_key": (403, "secret_api_key_not_found", "TokenNotFound"),
    "inactive": (403, "subscription_not_active", "SubscriptionNotActive"),
    "not_found": (404, "event_not_found", "RequestNotFound"),
    "quota": (429, "too_many_requests", "TooManyRequests"),
    "broken": (500, "internal_server_error", "Failed"),
}
_FAULTS: dict[str, Trouble] = {
    "throttle": "quota",
    "error500": "broken",
    "not_found": "not_found",
    "unauthorized": "wrong_key",
}


class FingerprintStandIn:
    """One version of the API on a stage: implements `StandIn`."""

    def __init__(self, fingerprint: SimulatedFingerprint, stage: SandboxStage, api: ApiVersion) -> None:
        self.fingerprint = fingerprint
        self.stage = stage
        self._api = api
        self._describe: Callable[[FingerprintEvent], dict[str, Any]] = describe_v4 if api == "v4" else describe_v3
        key = fingerprint.settings.secret_key
        self._header, self._key = (b"authorization", f"Bearer {key}") if api == "v4" else (b"auth-api-key", key)

    def fail(self, fault: Fault) -> StandInReply:
        """Write a failure as this version does; one that Fingerprint does not have is a 403."""
        if fault.kind == "answer":
            return _write_error(fault.status, fault.code)
        reply = self._word(_FAULTS.get(fault.kind, "inactive"))
        if fault.kind != "throttle":
            return reply
        return StandInReply(reply.status, reply.body, (JSON, (b"retry-after", b"%d" % max(1, round(fault.seconds)))))

    def plan(self, request: Request) -> Planned:
        """Find the call; 403 without the key."""
        given = request.headers.get(self._header)
        if given != self._key.encode():
            raise Declined(self._word("no_key" if given is None else "wrong_key"))
        parts = request.parts[1:] if self._api == "v4" and request.parts[0] == "events" else request.parts
        if request.method != "GET" or len(parts) != 1:
            raise Declined(self._word("not_found"))
        return Planned(operation="event", act=partial(self._answer, parts[0]), verification_id=parts[0])

    def _answer(self, event_id: str) -> Acted:
        if self._api == "v4" and not _EVENT_ID.fullmatch(event_id):
            return self._word("malformed"), event_id
        event = self.fingerprint.find(event_id)
        if event is None:
            return self._word("not_found"), event_id
        return StandInReply(200, msgspec.json.encode(self._describe(event))), event_id

    def _word(self, trouble: Trouble) -> StandInReply:
        status, v4, v3 = _TROUBLES[trouble]
        return _write_error(status, v4 if self._api == "v4" else v3)


def _write_error(status: int, code: str) -> StandInReply:
    return StandInReply(status, msgspec.json.encode({"error": {"code": code, "message": code.replace("_", " ")}}))


@post("/control/events", sync_to_thread=False)
def mint_event(data: JSONBody[Mint], fingerprint: NamedDependency[SimulatedFingerprint]) -> Minted:
    """Make an event to order."""
    return fingerprint.mint(data)


def list_fingerprint_controls() -> list[HTTPRouteHandler]:
    """The handlers that ask for `fingerprint`."""
    return [mint_event]


def mount_fingerprint(fingerprint: SimulatedFingerprint, stage: SandboxStage) -> list[ASGIRouteHandler]:
    """Return the mounts at /v4 and /events, so that FINGERPRINT_BASE_URL is the sandbox's own address."""
    v4, v3 = (FingerprintStandIn(fingerprint, stage, api) for api in ("v4", "v3"))

    @asgi("/v4", is_mount=True, copy_scope=False)
    async def answer_v4(scope: HTTPScope, receive: Receive, send: Send) -> None:
        await stage.perform(v4, scope, receive, send)

    @asgi("/events", is_mount=True, copy_scope=False)
    async def answer_v3(scope: HTTPScope, receive: Receive, send: Send) -> None:
        await stage.perform(v3, scope, receive, send)

    return [answer_v4, answer_v3]


def create_fingerprint(fingerprint: SimulatedFingerprint | None = None, stage: SandboxStage | None = None) -> Litestar:
    """Return an app with only Fingerprint and its controls; `app.state.fingerprint` and `.stage` hold both."""
    fingerprint, stage = fingerprint or SimulatedFingerprint(), stage or SandboxStage()
    handlers = [*mount_fingerprint(fingerprint, stage), *list_stage_controls(), *list_fingerprint_controls()]
    return compose_app(handlers, [], fingerprint=fingerprint, stage=stage)
